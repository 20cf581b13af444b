import { expect, test } from 'vitest'
import { tellAsUpstream } from './upstream-lines.ts'

const lines: unknown[] = []
const log = {
  told: (...line: readonly unknown[]) => lines.push(line),
  failed: (...line: readonly unknown[]) => lines.push(['failed', ...line]),
}

// biome-ignore format: a table
test.each<[number, string, Readonly<Record<string, string>>, readonly unknown[]]>([
  [1, 'processing node', { node: 'n1' }, [1, 'Processing node', { node: 'n1' }]],
  [0, 'node has been classified', { node: 'n1' }, [0, 'Node has been classified', { node: 'n1' }]],
  [0, 'eviction failed', { pod: 'a/b', error: 'not today' }, ['failed', 'eviction failed', 'not today', { pod: 'a/b' }]],
  [4, 'toString', {}, [4, 'toString', {}]],
])('%i %s', (level, message, fields, line) => {
  lines.length = 0
  tellAsUpstream(log, { level, message, fields })
  expect(lines).toEqual([line])
})
