import fc from 'fast-check'
import { expect, test } from 'vitest'
import { unifiedDiff } from './unified-diff.ts'

/** What `git apply` does, in small: every line that a hunk speaks of has to be there. @throws where it is not */
function applied(before: string, diff: string): string {
  const old = before === '' ? [] : (before.match(/[^\n]*\n|[^\n]+$/g) ?? [])
  const lines = diff.split('\n').slice(0, -1)
  const result: string[] = []
  let at = 0
  let left = { old: 0, now: 0 }
  for (const [index, line] of lines.entries()) {
    const hunk = /^@@ -(\d+),(\d+) \+(\d+),(\d+) @@$/.exec(line)
    if (hunk !== null) {
      expect(left).toEqual({ old: 0, now: 0 })
      const start = Number(hunk[2]) === 0 ? Number(hunk[1]) : Number(hunk[1]) - 1
      result.push(...old.slice(at, start))
      expect(Number(hunk[4]) === 0 ? Number(hunk[3]) : Number(hunk[3]) - 1).toBe(result.length)
      at = start
      left = { old: Number(hunk[2]), now: Number(hunk[4]) }
      continue
    }
    if (left.old + left.now === 0) continue
    const text = `${line.slice(1)}${lines[index + 1]?.startsWith('\\') ? '' : '\n'}`
    if (line[0] === ' ' || line[0] === '-') {
      expect(old[at]).toBe(text)
      at++
      left.old--
    }
    if (line[0] === ' ' || line[0] === '+') {
      result.push(text)
      left.now--
    }
  }
  return [...result, ...old.slice(at)].join('')
}

test('a change, with three lines around it', () => {
  const before = '1\n2\n3\n4\n5\n6\n7\n8\n9\n'
  expect(unifiedDiff({ path: 'a/b.yaml', before, after: before.replace('5\n', '5\nfive\n') })).toBe(
    'diff --git a/a/b.yaml b/a/b.yaml\n--- a/a/b.yaml\n+++ b/a/b.yaml\n@@ -3,6 +3,7 @@\n 3\n 4\n 5\n+five\n 6\n 7\n 8\n',
  )
})

test('a new file, and a last line without an end', () => {
  expect(unifiedDiff({ path: 'n.yaml', before: undefined, after: 'a\nb' })).toBe(
    'diff --git a/n.yaml b/n.yaml\nnew file mode 100644\n--- /dev/null\n+++ b/n.yaml\n@@ -0,0 +1,2 @@\n+a\n+b\n\\ No newline at end of file\n',
  )
})

test('nothing for what is the same; names as git quotes them', () => {
  expect(unifiedDiff({ path: 'a', before: 'x\n', after: 'x\n' })).toBe('')
  expect(unifiedDiff({ path: 'ä b"c', before: 'x\n', after: 'y\n' }).split('\n')[0]).toBe(
    'diff --git "a/\\303\\244 b\\"c" "b/\\303\\244 b\\"c"',
  )
})

test('for any two texts: applied to the one it gives the other, and is no longer than it must be', () => {
  const text = fc
    .array(fc.constantFrom('a', 'b', 'c', 'd', ''), { maxLength: 30 })
    .chain(lines => fc.boolean().map(ends => lines.map(line => `${line}\n`).join('') + (ends ? '' : 'end')))
  fc.assert(
    fc.property(text, text, (before, after) => {
      const diff = unifiedDiff({ path: 'f', before, after })
      expect(applied(before, diff)).toBe(after)
      const changed = diff.split('\n').filter(line => /^[-+](?!--|\+\+)/.test(line)).length
      expect(changed).toBeLessThanOrEqual(before.split('\n').length + after.split('\n').length)
    }),
    { numRuns: 500 },
  )
})
