import { expect, test } from 'vitest'
import type { ClusterProblem } from '#cluster/cluster-checks.ts'
import { SetAsideObjects } from './set-aside-objects.ts'

const problem = (name: string, more: Partial<ClusterProblem> = {}): ClusterProblem => ({
  code: 'quantity-syntax',
  where: `Pod shop/${name}: spec.containers[0].resources.requests.cpu`,
  found: 'much',
  expected: 'a quantity',
  isFatal: false,
  ...more,
})

function start() {
  const lines: string[] = []
  const log = {
    told: (level: number, message: string, fields: object) => lines.push(`${level} ${message} ${JSON.stringify(fields)}`),
    warned: (_: string, { why }: Readonly<Record<string, unknown>>) => lines.push(String(why)),
  }
  const aside = new SetAsideObjects(log)
  return (problems: readonly ClusterProblem[]) => {
    aside.tell(problems)
    return lines.splice(0)
  }
}

const line = (name: string) =>
  `Pod shop/${name}: spec.containers[0].resources.requests.cpu: found "much", expected a quantity [quantity-syntax]`
const summary = (problems: number, told = problems) => `1 Objects are set aside ${JSON.stringify({ problems, told })}`

test('each is told once, how many there are in every cycle, and what comes back is told anew', () => {
  const cycle = start()
  expect(cycle([])).toEqual([])
  expect(cycle([problem('a'), problem('b')])).toEqual([line('a'), line('b'), summary(2)])
  expect(cycle([problem('a'), problem('b')])).toEqual([summary(2)])
  expect(cycle([problem('b'), problem('c')])).toEqual([line('c'), summary(2)])
  expect(cycle([])).toEqual([])
  expect(cycle([problem('b')])).toEqual([line('b'), summary(1)])
})

test('of many twenty are told in a cycle, the others in the next ones; a long one is cut', () => {
  const cycle = start()
  const many = Array.from({ length: 50 }, (_, at) => problem(`p${at}`))
  expect([cycle(many), cycle(many), cycle(many), cycle(many)].map(lines => [lines.length, lines.at(-1)])).toEqual([
    [21, summary(50, 20)],
    [21, summary(50, 40)],
    [11, summary(50)],
    [1, summary(50)],
  ])
  expect(cycle([problem('long', { where: 'x'.repeat(5_000) })])[0]).toHaveLength(400)
})
