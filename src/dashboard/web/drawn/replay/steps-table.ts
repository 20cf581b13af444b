// The steps of a replay as a table: the same as the picture, for whoever does not look at it.
import type { Sentence } from '../../../contract.ts'
import type { ReplayStep, ReplayView } from '../../../contract-replay.ts'
import { printable } from '../../../words/names.ts'
import { count } from '../../../words/quantity.ts'
import type { Markup } from '../markup.ts'
import { tableMarkup } from '../table.ts'
import { refusalSign } from './drawing.ts'

/** `say` draws a sentence. */
export function stepsTable(
  { steps, tiles }: Pick<ReplayView, 'steps' | 'tiles'>,
  say: (sentence: Sentence) => readonly (Markup | string)[],
): Markup {
  const tileById = new Map(tiles.map(tile => [tile.id, tile]))
  const podOf = ({ tile }: ReplayStep) => {
    const pod = tileById.get(tile)?.pod
    return pod == null ? '' : printable(`${pod.namespace ?? ''}/${pod.name}`)
  }
  return tableMarkup<ReplayStep>({
    caption: 'Steps in the order in which they are made',
    columns: [
      { title: 'Move', isHeader: true, cell: ({ id }) => printable(id) },
      { title: 'Wave', isNumber: true, cell: ({ wave }) => count(wave) },
      { title: 'Pod', cell: podOf },
      { title: 'From', cell: ({ from }) => printable(from) },
      { title: 'To', cell: ({ to }) => (to === null ? 'no node' : printable(to)) },
      { title: 'What', cell: ({ state }) => state },
      { title: 'Why', cell: ({ why }) => say(why) },
      {
        title: 'Refused',
        cell: step =>
          step.refusals.flatMap((refusal, index) => [`${index > 0 ? '; ' : `${refusalSign(step) ?? ''} `}`, ...say(refusal)]),
      },
    ],
    rows: steps,
    rowKey: ({ id }) => id,
    empty: 'Nothing to move.',
  })
}
