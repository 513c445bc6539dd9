/** The operator API as a script would use it. @throws Error with the problem's code and sentence */
export class Api {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  async get<T>(path: string): Promise<T> {
    const response = await fetch(`${this.#url}/api/v1${path}`, {
      headers: { authorization: `Bearer ${this.#token}` },
    });
    const body = (await response.json()) as T & { code?: string; detail?: string };
    if (!response.ok) throw new Error(`GET ${path}: ${body.code} ${body.detail}`);
    return body;
  }
}
