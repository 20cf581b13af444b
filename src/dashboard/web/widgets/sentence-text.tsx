import { ago, until } from '../../words/age.ts'
import { momentOnClock } from '../../words/moments.ts'
import { printable } from '../../words/names.ts'
import { A } from '../frame/router.tsx'
import { now, zone } from '../frame/time.ts'
import { type ShownSentence, sentenceParts } from './sentence-parts.ts'

/** A sentence with its links. Everything in it is text: names from the cluster are never markup, and links lead to our own pages only. */
export function SentenceText({ of }: { of: ShownSentence }) {
  return (
    <>
      {sentenceParts(of).map(({ text, path, atMs }) =>
        atMs !== undefined ? (
          <Moment text={text} atMs={atMs} />
        ) : path === undefined ? (
          printable(text)
        ) : (
          <A href={path}>{printable(text)}</A>
        ),
      )}
    </>
  )
}

/** On the clock of the page. */
function Moment({ text, atMs }: { text: string; atMs: number }) {
  const left = atMs - now.value
  return (
    <time dateTime={text} title={`${text}, ${left > 0 ? until(left) : ago(-left)}`}>
      {momentOnClock({ text, atMs }, zone.value, now.value)}
    </time>
  )
}
