// Text for a terminal of 80 columns.

const columns = 80

/** `text` without what a terminal would obey: notes and reasons are written by anybody. */
export function harmless(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ')
}

/** `text` in lines of at most 80 columns, the first after `first`, the others after `rest`. Words longer than a line stay whole. */
export function paragraph(text: string, first: string, rest: string): string[] {
  const lines: string[] = []
  let line = first
  let isEmpty = true
  for (const word of harmless(text)
    .split(/\s+/)
    .filter(part => part !== '')) {
    if (!isEmpty && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = rest
      isEmpty = true
    }
    line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  return [...lines, line.trimEnd()]
}
