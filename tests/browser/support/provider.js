// An OpenID Connect provider as companies run one: the certified `oidc-provider`, with its own plain sign-in pages.
import { once } from "node:events";
import { createServer } from "node:http";
import Provider from "oidc-provider";

export const CLIENT = { id: "carnet", secret: "a secret between the provider and the service" };

/** A provider whose people a test knows, changes and throws out. */
export class Identities {
  /** @param {Record<string, object>} people  claims by name, beyond `sub` */
  constructor(people) {
    this.people = people;
    this.grants = [];
  }

  /** Starts it for a service at `base`. */
  async start(base) {
    this.server = createServer();
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    this.issuer = `http://localhost:${this.server.address().port}`;
    const provider = new Provider(this.issuer, {
      clients: [
        {
          client_id: CLIENT.id,
          client_secret: CLIENT.secret,
          grant_types: ["authorization_code", "refresh_token"],
          redirect_uris: [`${base}/sign-in/callback`],
          post_logout_redirect_uris: [`${base}/signed-out`],
        },
      ],
      claims: { openid: ["sub", "tenant_id", "roles", "permissions"] },
      cookies: { keys: ["a key of the test"] },
      findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...this.people[id] }) }),
      issueRefreshToken: async () => true,
      rotateRefreshToken: true,
    });
    provider.on("grant.success", ({ oidc }) => this.grants.push(oidc.entities.Grant));
    this.server.on("request", provider.callback());
  }

  /** Takes back what was granted to everybody. */
  async revoke() {
    await Promise.all(this.grants.map((grant) => grant.destroy()));
  }

  async close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}
