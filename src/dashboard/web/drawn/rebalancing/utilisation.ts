// How full nodes were: a row a node with a line for CPU and one for memory, and the same as a table.
import type { Utilisation, UtilisationLine, UtilisationMark, UtilisationNode, UtilisationRange } from '../../../contract.ts'
import { fineShareText, lineName, marksText, shareText } from '../../../words/en-rebalancing.ts'
import { apiPath, nodePath, refPath } from '../../../words/links.ts'
import { shortName } from '../../../words/names.ts'
import { rfc3339 } from '../../../words/time.ts'
import { lineLegendMarkup, lineMarkup } from '../line.ts'
import { element, type Markup, type Surroundings } from '../markup.ts'
import { momentMarkup, sentenceMarkup } from '../sentence.ts'
import { csvLink, type DrawnColumn, tableMarkup } from '../table.ts'

/** Marks of one node that are told in words. */
const mostTold = 12

/** Rows, their legend, and what is said of them. */
export function utilisationMarkup(utilisation: Utilisation, surroundings: Surroundings): Markup {
  const { nodes, sentences, span, from, stepMs, steps } = utilisation
  const chosen = nodes.map(({ node }) => node).join(',')
  return element(
    'div',
    { class: 'drawn-utilisation' },
    nodes.length === 0 ? undefined : lineLegendMarkup(),
    element(
      'ul',
      { class: 'drawn-lines' },
      nodes.map(node => nodeMarkup(node, utilisation, surroundings)),
    ),
    nodes.length === 0
      ? undefined
      : element(
          'p',
          { class: 'drawn-muted drawn-axis' },
          'from ',
          momentMarkup(from, surroundings),
          ' to ',
          momentMarkup(rfc3339(Date.parse(from) + steps * stepMs), surroundings),
        ),
    element(
      'p',
      { class: 'drawn-muted' },
      sentences.flatMap((sentence, index) => [...(index === 0 ? [] : [' ']), ...sentenceMarkup(sentence, surroundings)]),
    ),
    nodes.length === 0
      ? undefined
      : element(
          'details',
          { class: 'drawn-as-table' },
          element('summary', {}, 'The same as a table'),
          tableMarkup({
            caption: 'How full nodes were, in percent of what they can give',
            columns: [...columns, marksColumn(surroundings)],
            rows: nodes,
            rowKey: ({ node }) => node,
            empty: 'No node.',
          }),
        ),
    nodes.length === 0
      ? undefined
      : element(
          'div',
          { class: 'widgets-tools' },
          csvLink(surroundings.link(apiPath(['export', 'utilisation.csv'], { span, nodes: chosen }))),
        ),
  )
}

function nodeMarkup(node: UtilisationNode, utilisation: Utilisation, surroundings: Surroundings): Markup {
  return element(
    'li',
    { class: 'drawn-lines-row', key: node.node, 'data-row': true },
    element(
      'div',
      { class: 'drawn-node-head' },
      element('a', { class: 'drawn-node-name', href: surroundings.link(nodePath(node.node)) }, node.node),
      element('span', { class: 'drawn-muted' }, sentenceMarkup(node.because, surroundings)),
      element('span', { class: 'drawn-node-pods' }, marksText(node)),
    ),
    resourceMarkup('cpu', node, utilisation),
    resourceMarkup('memory', node, utilisation),
  )
}

function resourceMarkup(resource: 'cpu' | 'memory', node: UtilisationNode, { span, from, stepMs, steps }: Utilisation): Markup {
  const line = node[resource]
  const stepOf = ({ at }: UtilisationMark) =>
    Math.min(steps - 1, Math.max(0, Math.floor((Date.parse(at) - Date.parse(from)) / stepMs)))
  const of = (way: UtilisationMark['way']) => node.marks.filter(mark => mark.way === way).map(stepOf)
  const onRequests = line.goals.filter(({ stat }) => stat === 'requests')
  return element(
    'div',
    { class: 'drawn-resource drawn-resource-line' },
    element('span', { class: 'drawn-resource-name' }, resource === 'cpu' ? 'CPU' : 'mem'),
    lineMarkup({
      name: lineName({
        ...{ node: node.node, resource, span, requested: line.requestedRange, used: line.usedRange },
        ...{ left: node.left, came: node.came },
      }),
      requested: line.requested,
      used: line.used,
      goals: onRequests,
      left: of('left'),
      came: of('came'),
    }),
    element(
      'span',
      { class: 'drawn-figures' },
      element('span', { class: 'drawn-requested-figure' }, shareText(line.requestedRange?.last ?? null)),
      element('span', { class: 'drawn-word' }, ' requested'),
      element('span', { class: 'drawn-used-figure' }, shareText(line.usedRange?.last ?? null)),
      element('span', { class: 'drawn-word' }, ' used'),
    ),
  )
}

/** `93.3 to 45.2, 45.2 to 93.3` is first to last, least to most. */
function rangeText(range: UtilisationRange | null): string {
  if (range === null) return '–'
  const { first, least, most, last } = range
  if (least === most) return fineShareText(last)
  return `${fineShareText(first)} → ${fineShareText(last)} (${fineShareText(least)} to ${fineShareText(most)})`
}

const rangeColumn = (
  title: string,
  of: (node: UtilisationNode) => UtilisationLine,
  range: 'requestedRange' | 'usedRange',
): DrawnColumn<UtilisationNode> => ({ title, cell: node => rangeText(of(node)[range]) })

const columns: readonly DrawnColumn<UtilisationNode>[] = [
  { title: 'Node', isHeader: true, cell: ({ node }) => node },
  rangeColumn('CPU requested', ({ cpu }) => cpu, 'requestedRange'),
  rangeColumn('CPU used', ({ cpu }) => cpu, 'usedRange'),
  rangeColumn('Memory requested', ({ memory }) => memory, 'requestedRange'),
  rangeColumn('Memory used', ({ memory }) => memory, 'usedRange'),
]

function marksColumn(surroundings: Surroundings): DrawnColumn<UtilisationNode> {
  return {
    title: 'Pods that left and came',
    cell: ({ marks, left, came }) => {
      const told = marks.slice(-mostTold)
      const rest = left + came - told.length
      return [
        ...told.flatMap((mark, index) => [...(index === 0 ? [] : ['; ']), ...markMarkup(mark, surroundings)]),
        ...(rest > 0 ? [`; and ${rest} more`] : []),
      ]
    },
  }
}

function markMarkup({ at, way, pod, other, plan }: UtilisationMark, surroundings: Surroundings): readonly (Markup | string)[] {
  const where = other === null ? '' : way === 'left' ? ` for ${other}` : ` from ${other}`
  return [
    momentMarkup(at, surroundings),
    ' ',
    pod === null
      ? 'a pod'
      : element('a', { href: surroundings.link(refPath(pod)), title: `${pod.namespace}/${pod.name}` }, shortName(pod.name)),
    ` ${way === 'left' ? 'left' : 'came'}${where}${plan === null ? ', evicted by the descheduler' : ''}`,
  ]
}
