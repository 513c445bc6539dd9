/** What a person does in a browser, without one: follows redirects, keeps cookies, fills in the provider's forms. */
export class Browser {
  readonly #jars = new Map<string, Map<string, string>>();

  /** The last answer that is no redirect within these hosts and no form of the provider. */
  async signIn(address: string, person: string): Promise<{ url: URL; status: number; text: string }> {
    let url = new URL(address);
    let response = await this.go(url);
    for (let step = 0; step < 20; step += 1) {
      const to = response.headers.get("location");
      if (to) {
        url = new URL(to, url);
        if (url.searchParams.has("code") && url.pathname === "/") break;
        response = await this.go(url);
        continue;
      }
      const text = await response.text();
      const action = /<form[^>]*action="([^"]+)"/.exec(text)?.[1];
      const prompt = /name="prompt" value="(\w+)"/.exec(text)?.[1];
      if (!action || !prompt || url.pathname === "/") return { url, status: response.status, text };
      url = new URL(action, url);
      response = await this.go(url, {
        prompt,
        ...(prompt === "login" ? { login: person, password: "x" } : {}),
      });
    }
    return { url, status: response.status, text: "" };
  }

  /** One request, without following where it leads. */
  async go(url: URL, form?: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> {
    const jar = this.#jarOf(url);
    const response = await fetch(url, {
      redirect: "manual",
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; "), ...headers },
      ...(form ? { method: "POST", body: new URLSearchParams(form) } : {}),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value === "" || /max-age=0/i.test(cookie)) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  }

  cookie(url: URL, name: string): string | undefined {
    return this.#jarOf(url).get(name);
  }

  #jarOf({ host }: URL): Map<string, string> {
    const jar = this.#jars.get(host) ?? new Map<string, string>();
    this.#jars.set(host, jar);
    return jar;
  }
}
