// Nested maps by dotted path, as values files are.

export type ValuesTree = { readonly [key: string]: unknown }

export function isTree(value: unknown): value is ValuesTree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What stands at `path`; `undefined` where nothing does. */
export function valueAt(tree: unknown, path: readonly string[]): unknown {
  return path.reduce((inner, key) => (isTree(inner) ? inner[key] : undefined), tree)
}

/** `tree` with `value` at `path`; maps on the way are made. */
export function withValue(tree: ValuesTree, path: readonly string[], value: unknown): ValuesTree {
  const [key, ...rest] = path
  if (key === undefined) return isTree(value) ? value : tree
  if (rest.length === 0) return { ...tree, [key]: value }
  const inner = tree[key]
  return { ...tree, [key]: withValue(isTree(inner) ? inner : {}, rest, value) }
}
