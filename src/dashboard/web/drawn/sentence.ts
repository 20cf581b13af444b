// Sentences with their links, and moments with their full date.
import type { Sentence } from '../../contract.ts'
import { ago, until } from '../../words/age.ts'
import { momentOnClock } from '../../words/moments.ts'
import { rfc3339, timeOfDay } from '../../words/time.ts'
import { sentenceParts } from '../widgets/sentence-parts.ts'
import { element, type Markup, type Surroundings } from './markup.ts'

/** The parts of a sentence, for inside of any element. */
export function sentenceMarkup(sentence: Sentence, { link, nowMs, zone }: Surroundings): readonly (Markup | string)[] {
  return sentenceParts(sentence).map(({ text, path, atMs }) => {
    if (path !== undefined) return element('a', { href: link(path) }, text)
    if (atMs === undefined) return text
    const left = atMs - nowMs
    const title = `${text}, ${left > 0 ? until(left) : ago(-left)}`
    return element('time', { datetime: text, title }, momentOnClock({ text, atMs }, zone, nowMs))
  })
}

/** `14:03:18` with the whole moment and its age for whoever points at it. */
export function momentMarkup(at: string, { nowMs, zone }: Surroundings): Markup {
  const atMs = Date.parse(at)
  if (Number.isNaN(atMs)) return element('span', {}, '–')
  const full = rfc3339(atMs)
  return element('time', { datetime: full, title: `${full}, ${ago(nowMs - atMs)}` }, timeOfDay(atMs, zone, nowMs))
}
