import { createGraphiQLFetcher, type Fetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import 'graphiql/style.css';
import { type DocumentNode, getOperationAST, parse } from 'graphql';
import { createClient } from 'graphql-ws';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { at, realm } from '@/realm';
import './style.css';

const url = at('graphql');
const send = createGraphiQLFetcher({
  url,
  wsClient: createClient({ url: url.replace(/^/, location.origin.replace(/^http/, 'ws')) }),
});

function parsed(query: string): DocumentNode | undefined {
  try {
    return parse(query);
  } catch {
    return undefined; // the service says what is wrong with it
  }
}

/** By the way its operation needs: what the editor knows of it lags behind what is typed. */
const fetcher: Fetcher = (params, options) => {
  const documentAST = parsed(params.query);
  const operation = documentAST && getOperationAST(documentAST, params.operationName);
  const operationName = operation?.name?.value ?? params.operationName ?? null;
  return send({ ...params, operationName }, documentAST ? { ...options, documentAST } : options);
};

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
