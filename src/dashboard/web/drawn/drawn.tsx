// Gives markup to Preact.
import { h, type VNode } from 'preact'
import type { Markup } from './markup.ts'

function vnodeOf({ tag, attributes, children, key }: Markup): VNode {
  const content = children.map(child => (typeof child === 'string' ? child : vnodeOf(child)))
  return h(tag, key === undefined ? attributes : { ...attributes, key }, content)
}

/** What was drawn, as part of the page. */
export function Drawn({ of }: { of: Markup | readonly Markup[] }) {
  return <>{[of].flat().map(vnodeOf)}</>
}
