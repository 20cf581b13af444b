// The screen byte by byte: whatever is drawn after whatever, a person sees the last of it, and gets their terminal back.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { lowerScreen, wholeScreen } from './screen.ts'
import { terminalModel } from './screen-for-tests.ts'

const anyLines = fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 20 }), { minLength: 1, maxLength: 12 })
const trimmed = (lines: readonly string[]) => {
  const shown = lines.map(line => line.trimEnd())
  while (shown.at(-1) === '') shown.pop()
  return shown
}

describe('the whole screen', () => {
  test('shows the last of what was drawn, whatever was there before', () => {
    fc.assert(
      fc.property(fc.array(anyLines, { minLength: 1, maxLength: 8 }), pages => {
        const terminal = terminalModel(20, 12)
        const screen = wholeScreen(terminal.tty)
        for (const page of pages) {
          screen.draw(page)
          expect(terminal.lines()).toEqual(trimmed(page))
        }
        screen.end()
      }),
    )
  })

  test('writes only lines that changed', () => {
    const terminal = terminalModel(20, 10)
    const screen = wholeScreen(terminal.tty)
    screen.draw(['one', 'two', 'three'])
    const before = terminal.written.length
    screen.draw(['one', 'TWO', 'three'])
    expect(terminal.written.slice(before)).toBe('\x1b[2;1H\x1b[2KTWO')
    const after = terminal.written.length
    screen.draw(['one', 'TWO', 'three'])
    expect(terminal.written.length).toBe(after)
  })

  test('gives the terminal back as it was, once, and takes it again', () => {
    const terminal = terminalModel(20, 10)
    terminal.tty.write('what was there\n')
    const screen = wholeScreen(terminal.tty)
    screen.draw(['one'])
    expect([terminal.isAlternate, terminal.hasCursor, terminal.wraps]).toEqual([true, false, false])
    screen.end()
    screen.end()
    expect([terminal.isAlternate, terminal.hasCursor, terminal.wraps]).toEqual([false, true, true])
    expect(terminal.lines()).toEqual(['what was there'])
    expect(terminal.written.split('\x1b[?1049l')).toHaveLength(2)
    screen.draw(['one'])
    expect(terminal.lines()).toEqual(['one'])
  })

  test('an end without a beginning writes nothing', () => {
    const terminal = terminalModel(20, 10)
    wholeScreen(terminal.tty).end()
    expect(terminal.written).toBe('')
  })

  test('after a redraw all is there again, though somebody wrote over it', () => {
    const terminal = terminalModel(20, 10)
    const screen = wholeScreen(terminal.tty)
    screen.draw(['one', 'two'])
    terminal.tty.write('\x1b[1;1Hxxxxxxxx')
    screen.redraw()
    expect(terminal.lines()).toEqual(['one', 'two'])
  })
})

describe('the screen below what was printed', () => {
  type Step = { readonly draw: readonly string[] } | { readonly print: string }
  const anyStep: fc.Arbitrary<Step> = fc.oneof(
    anyLines.map(draw => ({ draw })),
    fc
      .array(fc.string({ unit: 'grapheme-ascii', maxLength: 20 }), { minLength: 1, maxLength: 3 })
      .map(lines => ({ print: lines.join('\n') })),
  )

  test('has everything that was printed above and the last of what was drawn below', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 12 }), steps => {
        const terminal = terminalModel(20, 24)
        const screen = lowerScreen(terminal.tty)
        const printed: string[] = []
        let drawn: readonly string[] = []
        for (const step of steps) {
          if ('draw' in step) {
            drawn = step.draw
            screen.draw(step.draw)
          } else {
            printed.push(...step.print.split('\n').map(line => line.trimEnd()))
            screen.print(step.print)
          }
          expect(trimmed([...terminal.scrolledOff, ...terminal.lines()])).toEqual(trimmed([...printed, ...drawn]))
        }
      }),
    )
  })

  test('writes only lines that changed, and stays when it ends', () => {
    const terminal = terminalModel(20, 10)
    const screen = lowerScreen(terminal.tty)
    screen.print('story')
    screen.draw(['one', 'two', 'three'])
    const before = terminal.written.length
    screen.draw(['one', 'TWO', 'three'])
    expect(terminal.written.slice(before)).not.toMatch(/one|three/)
    expect(terminal.lines()).toEqual(['story', 'one', 'TWO', 'three'])
    screen.end()
    expect([terminal.isAlternate, terminal.hasCursor, terminal.wraps]).toEqual([false, true, true])
    screen.print('after')
    expect(terminal.lines()).toEqual(['story', 'one', 'TWO', 'three', 'after'])
  })

  test('leaves room for what was printed, and is cut to what there is', () => {
    const screen = lowerScreen(terminalModel(80, 40).tty)
    expect(screen.size()).toEqual({ columns: 80, rows: 24 })
    expect(lowerScreen(terminalModel(80, 10).tty).size()).toEqual({ columns: 80, rows: 9 })
    const terminal = terminalModel(20, 5)
    const low = lowerScreen(terminal.tty)
    low.draw(Array.from({ length: 30 }, (_, index) => `line ${index}`))
    low.draw(['done'])
    expect([...terminal.scrolledOff, ...terminal.lines()]).toEqual(['done'])
  })
})
