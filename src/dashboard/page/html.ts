// Markup as the text of an HTML document. Whatever came from a cluster is text or the value of an attribute, escaped either way.
import type { Markup } from '../web/drawn/markup.ts'

/** Elements that have no end. */
const voidTags = new Set(['br', 'hr', 'img', 'input', 'link', 'meta'])

export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, character => entities[character] ?? character)
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** @throws Error where somebody drew a `style`, which the page's policy would refuse */
export function htmlOf(drawn: Markup | string): string {
  if (typeof drawn === 'string') return escaped(drawn)
  const { tag, attributes, children } = drawn
  const written = Object.entries(attributes).map(([name, value]) => {
    if (name === 'style' || name.startsWith('on')) throw new Error(`the page's policy refuses the attribute ${name}`)
    if (value === undefined || value === false) return ''
    return value === true ? ` ${name}` : ` ${name}="${escaped(String(value))}"`
  })
  const start = `<${tag}${written.join('')}>`
  return voidTags.has(tag) ? start : `${start}${children.map(htmlOf).join('')}</${tag}>`
}

/** A value as the content of a data block: nothing in it ends the block or opens a comment. */
export function dataBlock(id: string, value: unknown): string {
  const text = JSON.stringify(value).replaceAll('<', '\\u003c').replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
  return `<script type="application/json" id="${escaped(id)}">${text}</script>`
}
