// The last decisions, a line each: when, how, what of whom, and why.
import type { Permit, Source } from '../../contract.ts'
import { permitsNotKnown } from '../../words/en-permits.ts'
import { refPath } from '../../words/links.ts'
import { shortName } from '../../words/names.ts'
import { decisionSign, decisionWord } from '../drawings/decision-words.ts'
import { element, type Markup, type Surroundings } from './markup.ts'
import { momentMarkup, sentenceMarkup } from './sentence.ts'

const shownPermits = 10
/** Characters of a name in a line; the whole is in its title. */
const longestName = 60

/** `22:11:32 ✕ denied · evict media/sonarr · KedaManaged: owned by KEDA (ScaledObject sonarr)`, of the newest ten of `permits`. */
export function latestMarkup(
  { permits, sources }: { readonly permits: readonly Permit[]; readonly sources: readonly Source[] },
  surroundings: Surroundings,
): Markup {
  if (permits.length === 0) return element('p', { class: 'drawn-quiet' }, noneText(sources))
  return element(
    'ul',
    { class: 'overview-permits' },
    permits.slice(0, shownPermits).map(permit => line(permit, surroundings)),
  )
}

/** None, or nobody knows. */
function noneText(sources: readonly Source[]): string {
  const { state, because = null } = sources.find(({ name }) => name === 'ledger') ?? {}
  if ((state === 'down' || state === 'off') && because !== null) return permitsNotKnown({ because }).text
  return 'No permits yet. They appear when something asks to disrupt a pod.'
}

function line({ id, at, decision, capability, verb, target, because }: Permit, surroundings: Surroundings): Markup {
  const name = target.namespace === null ? target.name : `${target.namespace}/${target.name}`
  return element(
    'li',
    { key: id, 'data-row': true },
    momentMarkup(at, surroundings),
    element(
      'span',
      { class: `overview-decision overview-decision-${decision}`, title: `asked by ${capability}` },
      element('span', { 'aria-hidden': 'true' }, decisionSign(decision)),
      ` ${decisionWord(decision)}`,
    ),
    element('span', { class: 'frame-unseen' }, ' · '),
    element(
      'span',
      { class: 'overview-because' },
      `${verb} `,
      element('a', { href: surroundings.link(refPath(target)), title: `${target.kind} ${name}` }, shortName(name, longestName)),
      ' · ',
      sentenceMarkup(because, surroundings),
    ),
  )
}
