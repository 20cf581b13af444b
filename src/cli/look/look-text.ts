// A look for a terminal, for Markdown, and as one page that asks the network for nothing.

import { escaped } from '#dashboard/page/html.ts'
import type { Look } from '#doctor/look/look.ts'
import { harmless, paragraph } from '../terminal/paragraph.ts'
import { type Terminal, table } from '../terminal/terminal.ts'
import { type Section, sectionsOf } from './look-sections.ts'

/** For a terminal of 80 columns: short rows as a table, long ones as paragraphs. */
export function terminalLook(look: Look, colour: Terminal['colour']): string {
  const parts = sectionsOf(look).map(section => [colour.bold(section.title), ...terminalRows(section)].join('\n'))
  return parts.length === 0 ? `${harmless(look.looked)}: nothing to say` : parts.join('\n\n')
}

const columnsOfTerminal = 80

function terminalRows({ columns, rows }: Section): readonly string[] {
  const clean = rows.map(cells => cells.map(harmless))
  const text = table(
    columns.map(title => ({ title: title.toUpperCase() })),
    clean,
  )
  if (text.split('\n').every(line => line.length <= columnsOfTerminal)) return [text]
  return clean.flatMap(cells => {
    const [first = '', ...rest] = cells.filter(cell => cell !== '')
    const [begin, ...more] = rest.length === 0 ? ['', first] : [first, ...rest]
    if (begin === '') return paragraph(first, '- ', '  ')
    return [
      ...paragraph(begin ?? '', '- ', '  '),
      ...more.flatMap(cell => (isCommand(cell) ? [`    ${cell}`] : paragraph(cell, '    ', '    '))),
    ]
  })
}

const isCommand = (text: string) => text.startsWith('ballast ')

/** As Markdown: a heading and a table for each section. */
export function markdownLook(look: Look): string {
  const cell = (text: string) => harmless(text).replaceAll('\\', '\\\\').replaceAll('|', '\\|').replaceAll('<', '&lt;')
  const row = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`
  const parts = sectionsOf(look).map(({ title, columns, rows }) => {
    const filled = rows.map(cells => columns.map((_, at) => cells[at] ?? ''))
    return [`## ${title}`, '', row(columns), `|${columns.map(() => '---|').join('')}`, ...filled.map(row)].join('\n')
  })
  return [`# A look at ${cell(look.looked)}`, ...(parts.length === 0 ? ['Nothing to say.'] : parts)].join('\n\n')
}

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #8888}
td{overflow-wrap:anywhere}`

/** One page without a script; its policy lets nothing be loaded. */
export function pageOfLook(look: Look): string {
  const title = `A look at ${look.looked}`
  const cells = (ones: readonly string[], tag: 'td' | 'th') => ones.map(one => `<${tag}>${escaped(one)}</${tag}>`).join('')
  const parts = sectionsOf(look).map(
    ({ title: heading, columns, rows }) =>
      `<h2>${escaped(heading)}</h2><table><thead><tr>${cells(columns, 'th')}</tr></thead><tbody>${rows.map(row => `<tr>${cells(row, 'td')}</tr>`).join('')}</tbody></table>`,
  )
  const policy = "default-src 'none'; style-src 'unsafe-inline'"
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title><style>${style}</style></head><body><h1>${escaped(title)}</h1>${parts.length === 0 ? '<p>Nothing to say.</p>' : parts.join('\n')}</body></html>\n`
}
