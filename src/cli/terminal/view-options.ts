// What terminal views of this process have in common: labels of nodes, the zone of the clock, colours.
import type { Picture } from '#dashboard/picture.ts'
import type { ViewOptions } from '#dashboard/terminal/terminal-view.ts'
import type { Surroundings } from '../command-line.ts'

/** Labels of the nodes of the picture at hand. */
export function labelsOf(picture: () => Picture): NonNullable<ViewOptions['labelsOf']> {
  return node => picture().state.nodes.get(node)?.object.metadata.labels ?? {}
}

/** The zone of whoever sits at this machine. */
export function ownZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone
}

/** Whether colours are shown, as everywhere else. */
export function hasColours({ terminal }: Pick<Surroundings, 'terminal'>): boolean {
  return terminal.colour.isColorSupported
}
