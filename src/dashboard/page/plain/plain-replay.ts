// A replay without a script: how it stands before and after, as pictures, and the steps between as a table.
import type { ReplayView } from '../../contract-replay.ts'
import { element, type Markup, type Surroundings } from '../../web/drawn/markup.ts'
import { drawingName, replayDrawing, replayPatterns } from '../../web/drawn/replay/drawing.ts'
import { replayLayout } from '../../web/drawn/replay/layout.ts'
import { stepsTable } from '../../web/drawn/replay/steps-table.ts'
import { sentenceMarkup } from '../../web/drawn/sentence.ts'
import { planPath } from '../../words/links.ts'
import { paragraphs, part } from './tables.ts'

const width = 960

/** Where a page leads from it; a file leads nowhere. */
export function wayToPlan(plan: string, { link }: Surroundings): Markup {
  return element('p', {}, element('a', { href: link(planPath(plan)) }, `Plan ${plan}`))
}

export function plainReplay(view: ReplayView, surroundings: Surroundings): readonly Markup[] {
  const layout = replayLayout(view, 0, width)
  const picture = (at: number) =>
    element(
      'svg',
      {
        class: 'drawings-svg',
        viewBox: `0 0 ${layout.width} ${layout.height}`,
        width: '100%',
        role: 'img',
        'aria-label': drawingName({ view, at, resource: 0 }),
      },
      replayPatterns(),
      ...replayDrawing({ view, layout, resource: 0, at }),
    )
  return [
    part('Before', ...paragraphs(view.before, surroundings), picture(0)),
    part('After', ...paragraphs(view.afterwards, surroundings), picture(view.steps.length)),
    part(
      'Steps',
      stepsTable(view, sentence => sentenceMarkup(sentence, surroundings)),
    ),
    ...paragraphs(view.notes, surroundings),
  ]
}
