import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import 'graphiql/style.css';
import { createClient } from 'graphql-ws';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { at, realm } from '@/realm';
import './style.css';

const url = at('graphql');
const fetcher = createGraphiQLFetcher({
  url,
  wsClient: createClient({ url: url.replace(/^/, location.origin.replace(/^http/, 'ws')) }),
});

const WHO = realm.isProvince ? '{ viewerName }' : '{ viewer { name roles } }';
const FIRST = `# ${realm.name}: ${url}
#
# What is asked here is asked as you, by the cookie of your sign-in.

${WHO.replace('{ ', 'query {\n  ').replace(/ \}$/, '\n}')}
`;

/** Whether the cookie still stands; else its owner signs in and comes back. */
async function signedIn(): Promise<boolean> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ query: WHO }),
  });
  const { data } = (await response.json()) as { data?: Record<string, unknown> | null };
  return data != null && Object.values(data).every((who) => who !== null);
}

const box = document.querySelector('#graphiql');
if (!(await signedIn()))
  location.replace(`${at('login')}?next=${encodeURIComponent(at('graphiql'))}`);
else if (box) createRoot(box).render(createElement(GraphiQL, { fetcher, defaultQuery: FIRST }));
