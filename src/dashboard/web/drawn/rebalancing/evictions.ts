// Evictions by the strategies of the descheduler: sums by strategy and by node, and the newest.
import type { EvictionRow, EvictionSum, Evictions } from '../../../contract.ts'
import { apiPath, evictionPermitsPath, nodePath, refPath } from '../../../words/links.ts'
import { shortName } from '../../../words/names.ts'
import { count } from '../../../words/quantity.ts'
import { element, type Markup, type Surroundings } from '../markup.ts'
import { momentMarkup, sentenceMarkup } from '../sentence.ts'
import { csvLink, type DrawnColumn, tableMarkup } from '../table.ts'

export function evictionsMarkup({ sentence, byStrategy, byNode, rows, total }: Evictions, surroundings: Surroundings): Markup {
  const { link } = surroundings
  if (total === 0) return element('p', { class: 'drawn-quiet' }, sentenceMarkup(sentence, surroundings))
  return element(
    'div',
    {},
    element('p', {}, sentenceMarkup(sentence, surroundings)),
    element(
      'div',
      { class: 'drawn-tiles' },
      sums('By strategy', 'Strategy', byStrategy, name => name),
      sums('By node', 'Node', byNode, name => element('a', { href: link(nodePath(name)) }, name)),
    ),
    element('h3', {}, rows.length < total ? `The newest ${count(rows.length)} of ${count(total)}` : 'The newest first'),
    tableMarkup({
      caption: 'Evictions of the descheduler, the newest first',
      columns: columns(surroundings),
      rows,
      rowKey: ({ at, pod, node, strategy }) => `${at} ${pod?.namespace ?? ''} ${pod?.name ?? ''} ${node ?? ''} ${strategy}`,
      empty: 'None.',
    }),
    element('div', { class: 'widgets-tools' }, csvLink(link(apiPath(['export', 'evictions.csv'])))),
  )
}

function sums(caption: string, title: string, rows: readonly EvictionSum[], cell: (name: string) => Markup | string): Markup {
  return element(
    'div',
    { class: 'drawn-tile', key: caption },
    element('h3', {}, caption),
    tableMarkup({
      caption: `Evictions ${caption.toLowerCase()}`,
      columns: [
        { title, isHeader: true, cell: ({ name }) => cell(name) },
        { title: 'Evicted', isNumber: true, cell: ({ evicted }) => count(evicted) },
        { title: 'Refused', isNumber: true, cell: ({ refused }) => count(refused) },
      ],
      rows,
      rowKey: ({ name }) => name,
      empty: 'Nothing names one.',
    }),
  )
}

function columns(surroundings: Surroundings): readonly DrawnColumn<EvictionRow>[] {
  const { link } = surroundings
  return [
    { title: 'At', isHeader: true, cell: ({ at }) => momentMarkup(at, surroundings) },
    {
      title: 'Pod',
      cell: ({ pod }) =>
        pod === null
          ? 'a pod that you may not see'
          : element(
              'a',
              { href: link(refPath(pod)), title: `${pod.namespace}/${pod.name}` },
              `${pod.namespace}/${shortName(pod.name)}`,
            ),
    },
    { title: 'Node', cell: ({ node }) => (node === null ? '–' : element('a', { href: link(nodePath(node)) }, node)) },
    { title: 'Strategy', cell: ({ strategy }) => strategy },
    {
      title: 'Result',
      cell: ({ result }) =>
        element('span', { class: `drawn-result drawn-result-${result}` }, result === 'evicted' ? '● evicted' : '✕ refused'),
    },
    { title: 'Because', cell: ({ because }) => because },
    {
      title: 'Permit',
      cell: ({ permit, pod }) =>
        permit === null
          ? '–'
          : element(
              'a',
              { href: link(evictionPermitsPath(pod?.namespace ?? null)), title: permit },
              shortName(permit.split('/').at(-1) ?? permit, 24),
            ),
    },
  ]
}
