// What server and page draw alike: elements as values. The server writes them as HTML, the page gives them to Preact, and so nothing moves
// when the page comes alive. Pure; Node runs it.

export interface Markup {
  readonly tag: string
  /** As HTML and SVG name them; undefined and false are left out, true stands alone. Never `style`, which the page's policy refuses. */
  readonly attributes: Readonly<Record<string, string | number | boolean | undefined>>
  readonly children: readonly (Markup | string)[]
  /** Tells children of a list apart. */
  readonly key: string | undefined
}

type Child = Markup | string | undefined | readonly (Markup | string | undefined)[]

/** `element('p', { class: 'a' }, 'text')`; children that are undefined are left out, `key` is kept apart. */
export function element(
  tag: string,
  attributes: Markup['attributes'] & { readonly key?: string },
  ...children: readonly Child[]
): Markup {
  const { key, ...others } = attributes
  return { tag, attributes: others, key, children: children.flat().filter(child => child !== undefined) }
}

/** All that a drawing depends on beside its value. */
export interface Surroundings {
  /** Cluster time in milliseconds since 1970. */
  readonly nowMs: number
  readonly zone: string
  /** A path below the base path as the browser asks for it. */
  readonly link: (path: string) => string
}
