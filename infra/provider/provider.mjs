// OpenID Connect issuers for trying out Jejak Dinas, one for each realm, in one process:
//   node provider.mjs CONFIG.json
// The protocol is oidc-provider's; ours are the people, the sign-in page and the storage.
// The shape of CONFIG.json is what infra/services.py writes for its `Issuer`.
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { errors, Provider } from 'oidc-provider';

process.umask(0o077);
const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const MONTH = 30 * 24 * 3600;

const database = new DatabaseSync(config.storage);
database.exec(`
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS kept (
    issuer TEXT, model TEXT, id TEXT, payload TEXT NOT NULL, expires REAL,
    PRIMARY KEY (issuer, model, id)
  ) WITHOUT ROWID;
  DELETE FROM kept WHERE expires < unixepoch();
`);
const sql = {
  put: database.prepare('INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?, unixepoch() + ?)'),
  get: database.prepare(`SELECT payload FROM kept WHERE issuer = ? AND model = ? AND id = ?
    AND (expires IS NULL OR expires > unixepoch())`),
  seek: database.prepare(`SELECT payload FROM kept WHERE issuer = ? AND model = ?
    AND json_extract(payload, ?) = ? AND (expires IS NULL OR expires > unixepoch())`),
  consume: database.prepare(`UPDATE kept SET payload = json_set(payload, '$.consumed', unixepoch())
    WHERE issuer = ? AND model = ? AND id = ?`),
  drop: database.prepare('DELETE FROM kept WHERE issuer = ? AND model = ? AND id = ?'),
  revoke: database.prepare(`DELETE FROM kept WHERE issuer = ?
    AND json_extract(payload, '$.grantId') = ?`),
};
const parsed = (row) => row && JSON.parse(row.payload);

const adapterOf = (issuer) => class {
  constructor(model) { this.model = model; }
  async upsert(id, payload, seconds) {
    sql.put.run(issuer, this.model, id, JSON.stringify(payload), seconds ?? null);
  }
  async find(id) { return parsed(sql.get.get(issuer, this.model, id)); }
  async findByUid(uid) { return parsed(sql.seek.get(issuer, this.model, '$.uid', uid)); }
  async findByUserCode(code) { return parsed(sql.seek.get(issuer, this.model, '$.userCode', code)); }
  async consume(id) { sql.consume.run(issuer, this.model, id); }
  async destroy(id) { sql.drop.run(issuer, this.model, id); }
  async revokeByGrantId(grantId) { sql.revoke.run(issuer, grantId); }
};

// Made once and kept, so that tokens and sessions stay good when the provider starts again.
function keysOf(issuer) {
  const kept = parsed(sql.get.get(issuer, 'Keys', 'own'));
  if (kept) return kept;
  const jwk = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  const kid = createHash('sha256').update(jwk.n).digest('base64url').slice(0, 16);
  const made = {
    jwks: { keys: [{ ...jwk, kid, alg: 'RS256', use: 'sig' }] },
    cookies: [randomBytes(32).toString('base64url')],
  };
  sql.put.run(issuer, 'Keys', 'own', JSON.stringify(made), null);
  return made;
}

const escaped = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

function show(ctx, title, body) {
  ctx.type = 'html';
  ctx.set('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'");
  ctx.set('Cache-Control', 'no-store');
  ctx.body = `<!doctype html><html lang="id"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>${escaped(title)}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 3rem auto; padding: 0 1rem;
    color: #1b2733; background: #f4f6f8 }
  h1 { font-size: 1.3rem }
  button { display: block; width: 100%; margin: .5rem 0; padding: .7rem 1rem; font: inherit;
    text-align: left; color: inherit; background: #fff; border: 1px solid #c4ccd4;
    border-radius: .4rem; cursor: pointer }
  button:hover, button:focus { border-color: #0b62a5 }
  small { display: block; color: #51606e }
</style>
<h1>${escaped(title)}</h1>${body}`;
}

async function formOf(ctx) {
  let text = '';
  for await (const chunk of ctx.req) {
    text += chunk;
    if (text.length > 10_000) ctx.throw(413);
  }
  return new URLSearchParams(text);
}

function issuerFor(issuer) {
  const url = `http://127.0.0.1:${issuer.port}`;
  const keys = keysOf(issuer.name);
  const people = new Map(issuer.people.map((person) => [person.username, {
    ...person,
    // An opaque subject: whoever matches people by it cannot mistake it for the username.
    sub: createHash('sha256').update(`${issuer.name}\n${person.username}`).digest('hex').slice(0, 32),
  }]));
  const subjects = new Map([...people.values()].map((person) => [person.sub, person]));
  const origins = new Set(issuer.front_end_redirect_uris.map((uri) => new URL(uri).origin));
  const claimsOf = ({ sub, username, name }) => ({ sub, preferred_username: username, name });

  const provider = new Provider(url, {
    adapter: adapterOf(issuer.name),
    clients: [
      {
        client_id: issuer.client_id,
        client_secret: issuer.client_secret,
        client_name: 'Jejak Dinas',
        token_endpoint_auth_method: 'client_secret_basic',
        redirect_uris: issuer.redirect_uris,
        post_logout_redirect_uris: issuer.post_logout_redirect_uris,
        response_types: ['code'],
        grant_types: ['authorization_code', 'refresh_token'],
      },
      {
        client_id: 'front-end',
        client_name: 'Jejak Dinas',
        token_endpoint_auth_method: 'none',
        // RFC 8252: a loopback address on any port, or a phone app's own scheme.
        application_type: 'native',
        redirect_uris: issuer.front_end_redirect_uris,
        response_types: ['code'],
        grant_types: ['authorization_code', 'refresh_token'],
      },
    ],
    jwks: keys.jwks,
    cookies: {
      keys: keys.cookies,
      // Cookies ignore the port: without names of their own the issuers would share sessions.
      names: {
        session: `${issuer.name}_session`,
        interaction: `${issuer.name}_interaction`,
        resume: `${issuer.name}_resume`,
      },
    },
    pkce: { required: () => true },
    claims: { openid: ['sub', 'preferred_username', 'name'] },
    conformIdTokenClaims: false,
    clientBasedCORS: (ctx, origin, client) => client.clientId === 'front-end'
      && (origins.has(origin) || /^http:\/\/(127\.0\.0\.1|localhost)(:\d+)?$/.test(origin)),
    extraTokenClaims: (ctx, token) => {
      const person = subjects.get(token.accountId);
      return person && { preferred_username: person.username, name: person.name };
    },
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      revocation: { enabled: true, allowedPolicy: (ctx, client, token) => token.clientId === client.clientId },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => issuer.audience,
        useGrantedResource: () => true,
        getResourceServerInfo: (ctx, resource) => {
          if (resource !== issuer.audience) throw new errors.InvalidTarget();
          return {
            scope: '',
            audience: issuer.audience,
            accessTokenFormat: 'jwt',
            accessTokenTTL: issuer.access_token_seconds,
            jwt: { sign: { alg: 'RS256' } },
          };
        },
      },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => show(ctx, 'Keluar?', `${form}
          <button type="submit" form="op.logoutForm" name="logout" value="yes">Ya, keluar
            <small>Yes, sign out</small></button>
          <button type="submit" form="op.logoutForm">Tidak <small>No</small></button>`),
        postLogoutSuccessSource: (ctx) => show(ctx, 'Anda sudah keluar', '<p>You are signed out.</p>'),
      },
    },
    ttl: {
      AccessToken: issuer.access_token_seconds,
      AuthorizationCode: 60,
      IdToken: 3600,
      Interaction: 3600,
      RefreshToken: MONTH,
      Session: MONTH,
      Grant: MONTH,
    },
    findAccount: (ctx, sub) => {
      const person = subjects.get(sub);
      return person && { accountId: sub, claims: () => claimsOf(person) };
    },
    interactions: { url: (ctx, interaction) => `/masuk/${interaction.uid}` },
    // The clients are the service's own: nobody is asked whether they may read who signed in.
    loadExistingGrant: async (ctx) => {
      const { client, session, result, provider: { Grant } } = ctx.oidc;
      const id = result?.consent?.grantId ?? session.grantIdFor(client.clientId);
      const kept = id && await Grant.find(id);
      const grant = kept || new Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope('openid offline_access');
      grant.addResourceScope(issuer.audience, '');
      await grant.save();
      return grant;
    },
    renderError: (ctx, out) => show(ctx, 'Tidak dapat masuk', `<p>${escaped(out.error)}:
      ${escaped(out.error_description ?? '')}</p>`),
  });

  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith('/masuk/')) return next();
    const { prompt } = await provider.interactionDetails(ctx.req, ctx.res);
    const resume = async (result) => {
      ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result));
      ctx.status = 303;
    };
    if (prompt.name === 'consent') return resume({ consent: {} });
    let refusal = '';
    if (ctx.method === 'POST') {
      const person = people.get((await formOf(ctx)).get('username'));
      if (person) return resume({ login: { accountId: person.sub } });
      ctx.status = 403;
      refusal = '<p role="alert">Orang itu tidak terdaftar. <small>That person is not listed.</small></p>';
    }
    const buttons = [...people.values()].map(({ username, name, role }) => `
      <button name="username" value="${escaped(username)}">${escaped(name)}
        <small>${escaped(role)}</small></button>`).join('');
    return show(ctx, 'Masuk sebagai', `<p>${escaped(issuer.title)}</p>${refusal}
      <form method="post">${buttons}</form>`);
  });
  provider.on('server_error', (ctx, error) => console.error(issuer.name, error));
  provider.listen(issuer.port, '127.0.0.1', () => console.log(`${issuer.name}: ${url}`));
}

config.issuers.forEach(issuerFor);
