import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { drawRecording, recordingPath, textOfRecording } from './recording.ts'

const red = (text: string) => `\u001b[31m${text}\u001b[39m`
const printed = [
  'NODE  GOALS',
  `a     ${red('cpu < 70 %')} & more`,
  '',
  '    4.0 s  m01  a -> b',
  '    9.0 s  m02  a -> b',
  'done',
  '',
]

test('a recording has the text that was printed, in its colours', () => {
  const picture = drawRecording(printed.join('\n'))
  expect(textOfRecording(picture)).toBe(printed.join('\n').replaceAll(red('cpu < 70 %'), 'cpu < 70 %'))
  expect(picture).toContain('<tspan fill="#ff7b72">cpu &lt; 70 %</tspan> &amp; more</text>')
})

test('a move comes at its time in the cluster', () => {
  const shares = [...drawRecording(printed.join('\n')).matchAll(/@keyframes l\d+\{0%\{opacity:0\}([\d.]+)%/g)].map(found =>
    Number(found[1]),
  )
  const [, , , first = 0, second = 0, end = 0] = shares
  expect(shares).toEqual(shares.toSorted((a, b) => a - b))
  expect(second - first).toBeGreaterThan(10 * (end - second))
})

test('the picture of the README is small, needs nothing from outside and runs no script', () => {
  const picture = readFileSync(recordingPath, 'utf8')
  expect(picture.length).toBeLessThan(500 * 1024)
  expect(picture.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|<script|@import|url\((?!#)/)
})
