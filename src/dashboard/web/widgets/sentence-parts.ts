// A sentence as text, links and moments. Names in it come from the cluster: they are text, and a link leads nowhere but to our own pages.
import type { Link, Sentence } from '../../contract.ts'
import { literalOf, momentParts } from '../../words/moments.ts'

interface SentencePart {
  readonly text: string
  /** Below the base path; undefined: plain text. */
  readonly path: string | undefined
  /** The moment that it means; it is shown on the reader's clock in place of its text. */
  readonly atMs?: number | undefined
}

/** A sentence as far as it is shown. */
export type ShownSentence = Pick<Sentence, 'text' | 'links'> & Partial<Pick<Sentence, 'facts'>>

/** The sentence in parts; a link whose text is not in it comes after it. Joined, the parts are the sentence and those links. */
export function sentenceParts(sentence: ShownSentence): readonly SentencePart[] {
  const literal = literalOf(sentence.facts ?? {})
  return linkedParts(sentence).flatMap(part =>
    part.path === undefined ? momentParts(part.text, literal).map(({ text, atMs }) => ({ text, path: undefined, atMs })) : [part],
  )
}

function linkedParts({ text, links }: ShownSentence): readonly SentencePart[] {
  const parts: SentencePart[] = []
  let rest = text
  for (const link of [...links].filter(({ path }) => isOwnPath(path)).sort((a, b) => placeOf(text, a) - placeOf(text, b))) {
    const at = link.text === '' ? -1 : rest.indexOf(link.text)
    if (at < 0) continue
    if (at > 0) parts.push({ text: rest.slice(0, at), path: undefined })
    parts.push({ text: link.text, path: link.path })
    rest = rest.slice(at + link.text.length)
  }
  if (rest !== '') parts.push({ text: rest, path: undefined })
  const shown = new Set(parts.map(({ path }) => path))
  for (const { text: words, path } of links) {
    if (words !== '' && isOwnPath(path) && !shown.has(path)) parts.push({ text: ' ', path: undefined }, { text: words, path })
  }
  return parts
}

function placeOf(text: string, link: Link): number {
  const at = text.indexOf(link.text)
  return at < 0 ? text.length : at
}

/** Whether the path is one of this server: `//host` and `/\host` are addresses of others to a browser. */
export function isOwnPath(path: string): boolean {
  return /^\/(?![/\\])[^\\\s\p{Cc}]*$/u.test(path)
}
