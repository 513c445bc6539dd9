import { type Static, Type } from "typebox";

const Text = Type.String({ minLength: 1, maxLength: 4096, pattern: "^[^\\u0000]*$" });

/**
 * A local server that speaks Open Inference Protocol v2 and stands for an execution provider. `{model}` in `args` and
 * `env` becomes the path of the model file, `{name}` the name under which the server is asked for it, `{port}` a free TCP
 * port of the loopback, `{socket}` the path of a Unix socket. One of the last two has to be there: during an update two
 * such servers run side by side.
 */
export const ExternalRuntime = Type.Object(
  {
    /** Program, by absolute path or found in PATH. It must stay in the foreground. */
    command: Text,
    args: Type.Optional(Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 64 })),
    env: Type.Optional(
      Type.Record(
        Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]{0,127}$" }),
        Type.String({ maxLength: 4096 }),
        { maxProperties: 64, additionalProperties: false },
      ),
    ),
    /** Name of the model in the server's paths; default: the model's own. `{name}` is what it becomes. */
    modelName: Type.Optional(Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$" })),
    /** Arguments with which the command ends with 0 where it can be used; default: the program is there. */
    probe: Type.Optional(Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 64 })),
    /** Longest time from its start to being ready with the model; default 60. */
    readySeconds: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 3600 })),
    /** Longest wait for one answer before it counts as hung and is killed; default 30. */
    answerSeconds: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 3600 })),
    /** Time between two looks at its health while it is idle; default 5. */
    healthSeconds: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 3600 })),
  },
  { additionalProperties: false },
);
export type ExternalRuntime = Static<typeof ExternalRuntime>;

/** External runtimes of a box by the name of the provider that they are. */
export type ExternalRuntimes = Readonly<Record<string, ExternalRuntime>>;
