import { type RawBuilder, type SqlBool, sql } from "kysely";

/** Whether the site in a column is one of these or lies below one. "0" is the character after "/". */
export const siteIsWithin = (column: string, sites: readonly string[]): RawBuilder<SqlBool> =>
  sites.length === 0
    ? sql<SqlBool>`1 = 0`
    : sql<SqlBool>`(${sql.join(
        sites.map((site) => {
          const name = sql.ref(column);
          return sql`${name} = ${site} OR (${name} >= ${`${site}/`} AND ${name} < ${`${site}0`})`;
        }),
        sql` OR `,
      )})`;
