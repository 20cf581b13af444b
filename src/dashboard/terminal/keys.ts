// What a terminal sends when keys are pressed, as keys.

/** A printable character as itself, others by name. */
export type Key = string

const escapeSign = '\x1b'
const sequences: Readonly<Record<string, Key>> = {
  '[5~': 'PgUp',
  '[6~': 'PgDn',
  '[A': 'Up',
  OA: 'Up',
  '[B': 'Down',
  OB: 'Down',
  '[H': 'Home',
  OH: 'Home',
  '[1~': 'Home',
  '[F': 'End',
  OF: 'End',
  '[4~': 'End',
}
const controls: Readonly<Record<string, Key>> = {
  '\r': 'Enter',
  '\n': 'Enter',
  '\t': 'Tab',
  '\x7f': 'Backspace',
  '\b': 'Backspace',
  '\x03': 'Ctrl-C',
  '\x0c': 'Ctrl-L',
  '\x1a': 'Ctrl-Z',
}
/** A sequence that began and has no end yet: `ESC [ 5`. */
const begun = /^(\[[0-?]*[ -/]*|O)$/
const whole = /^(\[[0-?]*[ -/]*[@-~]|O[@-~]|.)/su
/** Characters after which a sequence without an end is given up. */
const longestBegun = 32

/** Keys out of pieces of input, of which one may end within a sequence. Sequences that nobody knows are dropped. */
export class KeyReader {
  #rest = ''

  read(piece: string): readonly Key[] {
    const keys: Key[] = []
    let text = this.#rest + piece
    this.#rest = ''
    while (text !== '') {
      if (!text.startsWith(escapeSign)) {
        const [character = ''] = text
        text = text.slice(character.length)
        const key = controls[character] ?? (/\p{Cc}/u.test(character) ? undefined : character)
        if (key !== undefined) keys.push(key)
        continue
      }
      const after = text.slice(1)
      if (begun.test(after) && after.length < longestBegun) {
        this.#rest = text
        break
      }
      const sequence = after.startsWith(escapeSign) ? undefined : whole.exec(after)?.[0]
      const key = sequence === undefined ? 'Esc' : sequences[sequence]
      if (key !== undefined) keys.push(key)
      text = after.slice(sequence?.length ?? 0)
    }
    return keys
  }
}
