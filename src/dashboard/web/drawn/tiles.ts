// What stands at the end of the overview: scale to zero, freeze, sources.
import type { Overview, Source } from '../../contract.ts'
import { element, type Markup, type Surroundings } from './markup.ts'
import { momentMarkup, sentenceMarkup } from './sentence.ts'

const tile = (title: string, ...content: readonly (Markup | string)[]): Markup =>
  element('div', { class: 'drawn-tile', key: title }, element('h3', {}, title), ...content)

/** How many workloads can sleep and do. */
export const sleepTile = ({ scaleToZero }: Pick<Overview, 'scaleToZero'>, surroundings: Surroundings): Markup =>
  tile('Scale to zero', element('p', {}, sentenceMarkup(scaleToZero.sentence, surroundings)))

/** Whether the cluster is frozen, since when and by whom. */
export function freezeText({ freeze, past }: Pick<Overview, 'freeze' | 'past'>, surroundings: Surroundings): Markup {
  if (past) return element('p', {}, 'What was frozen then is not kept.')
  if (freeze === null) return element('p', {}, 'Nothing is frozen.')
  const since = freeze.since === null ? [] : [' since ', momentMarkup(freeze.since, surroundings)]
  return element('p', {}, `Frozen by ${freeze.by}`, ...since, `: ${freeze.reason}`)
}

/** What is known of the cluster, and how fresh it is. */
export const sourcesTile = ({ sources }: Pick<Overview, 'sources'>, surroundings: Surroundings): Markup =>
  tile(
    'Sources',
    element(
      'ul',
      { class: 'drawn-sources' },
      sources.map(source => sourceMarkup(source, surroundings)),
    ),
  )

/** All in their order. */
export const tilesMarkup = (overview: Overview, surroundings: Surroundings): Markup =>
  element(
    'div',
    { class: 'drawn-tiles' },
    sleepTile(overview, surroundings),
    tile('Freeze', freezeText(overview, surroundings)),
    sourcesTile(overview, surroundings),
  )

const stateWords = { live: '● live', stale: '◔ late', down: '✕ down', off: '– off' } as const satisfies Readonly<
  Record<Source['state'], string>
>

function sourceMarkup({ name, state, lastAt, because }: Source, surroundings: Surroundings): Markup {
  return element(
    'li',
    { key: name, class: `drawn-source drawn-source-${state}` },
    element('span', { class: 'drawn-source-name' }, sourceWords[name] ?? name),
    element('span', { class: 'drawn-source-state' }, stateWords[state]),
    because === null || state === 'live' || state === 'off' ? undefined : element('span', {}, because),
    lastAt === null || state === 'live'
      ? undefined
      : element('span', { class: 'drawn-muted' }, 'last ', momentMarkup(lastAt, surroundings)),
  )
}

const sourceWords: Readonly<Record<string, string>> = {
  api: 'API server',
  metrics: 'Use (metrics.k8s.io)',
  power: 'Power',
  ledger: 'Permits',
  controller: 'Controller',
}
