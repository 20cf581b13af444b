// Names and texts that others wrote: short without losing what tells them apart, and harmless to look at.

const ellipsis = '…'

/**
 * `name` in at most `most` characters: its start and its last segment whole (`catalyst-workers-5d…-x2k9p`). Where the last segment alone is
 * longer than half of that, start and end are kept.
 */
export function shortName(name: string, most = 32): string {
  const letters = [...name]
  if (letters.length <= most) return name
  const dash = name.lastIndexOf('-')
  const last = dash < 0 ? [] : [...name.slice(dash)]
  const tail = last.length > 1 && last.length <= most / 2 ? last : letters.slice(-Math.floor((most - 1) / 2))
  return `${letters.slice(0, Math.max(1, most - tail.length - 1)).join('')}${ellipsis}${tail.join('')}`
}

// Controls of the C0 and C1 sets, line and paragraph separators, marks that turn the direction of what follows, and halves of surrogates.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unprintable = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu

/**
 * `text` with control characters as pictures (`␀`, `␊`) and those without a picture by number (`⟨202E⟩`), so that nothing in a name can
 * break a line, a terminal or the order of what stands beside it. Letters of any script stay as they are.
 */
export function printable(text: string): string {
  return text.replace(unprintable, found => {
    const code = found.codePointAt(0) ?? 0
    if (code < 0x20) return String.fromCodePoint(0x2400 + code)
    if (code === 0x7f) return '␡'
    return `⟨${code.toString(16).toUpperCase().padStart(4, '0')}⟩`
  })
}

/** `text` cut after `most` characters, with a sign that it was. */
export function cutText(text: string, most: number): string {
  const letters = text.length > most ? [...text] : undefined
  return letters === undefined || letters.length <= most ? text : `${letters.slice(0, most - 1).join('')}${ellipsis}`
}
