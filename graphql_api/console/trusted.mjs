/**
 * A codegen plugin: each operation becomes a trusted document, which the service knows by its digest.
 *
 * Beside an operation's types it writes the typed document, which holds the digest alone; with
 * `manifest` it writes what the service reads: {"sha256:…": "query …"}.
 */
import { createHash } from 'node:crypto';
import { Kind, print, visit } from 'graphql';

const TYPENAME = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } };

/** The client's cache goes by types; it cannot ask for them in a document that it does not hold. */
const withTypes = (definition) =>
  visit(definition, {
    enter: (set, _key, parent) =>
      set.kind !== Kind.SELECTION_SET ||
      parent.kind === Kind.OPERATION_DEFINITION ||
      set.selections.some(({ name }) => name?.value === '__typename')
        ? undefined
        : { ...set, selections: [...set.selections, TYPENAME] },
  });

function spreadIn(definition, fragments, found = new Map()) {
  visit(definition, {
    enter: ({ kind, name }) => {
      if (kind !== Kind.FRAGMENT_SPREAD || found.has(name.value)) return;
      found.set(name.value, fragments.get(name.value));
      spreadIn(fragments.get(name.value), fragments, found);
    },
  });
  return found;
}

const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

export function plugin(_schema, documents, { manifest, externalFragments = [] }) {
  const definitions = documents.flatMap(({ document }) => document.definitions);
  const fragments = new Map([
    ...externalFragments.map(({ name, node }) => [name, node]),
    ...definitions
      .filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION)
      .map((fragment) => [fragment.name.value, fragment]),
  ]);
  const trusted = definitions
    .filter(({ kind }) => kind === Kind.OPERATION_DEFINITION)
    .map((operation) => {
      const used = [...spreadIn(operation, fragments)].sort(([one], [other]) =>
        one < other ? -1 : 1,
      );
      const parts = [operation, ...used.map(([, fragment]) => fragment)];
      const text = parts.map((part) => print(withTypes(part))).join('\n\n');
      const id = `sha256:${createHash('sha256').update(text).digest('hex')}`;
      return { name: capital(operation.name.value), kind: capital(operation.operation), id, text };
    });
  if (manifest)
    return JSON.stringify(Object.fromEntries(trusted.map(({ id, text }) => [id, text])));
  return {
    prepend: ["import type { TypedDocumentNode } from '@urql/core';"],
    content: trusted
      .map(({ name, kind, id }) => {
        const type = `TypedDocumentNode<${name}${kind}, ${name}${kind}Variables>`;
        const held = `{ kind: 'Document', definitions: [], documentId: '${id}' }`;
        return `export const ${name}Document = ${held} as unknown as ${type};`;
      })
      .join('\n'),
  };
}
