import { describe, expect, test } from 'vitest'
import { needsOf, permissionsOf } from './capability.ts'
import { mirrorShape, reloadShape } from './capability-shapes.test-d.ts'

describe('what a part needs and may', () => {
  const [part] = reloadShape.parts

  // biome-ignore format: a table
  test.each<[string, object, readonly string[], readonly string[]]>([
    ['with its defaults',      {},                                                   ['secrets'],             ['jobs']],
    ['with a kind switched on',  { argoRollouts: true },                             ['secrets', 'rollouts'], ['jobs']],
    ['with a kind switched off', { ignoredWorkloadTypes: ['jobs'], argoRollouts: false }, ['secrets'],         []],
  ])('is what its configuration says: %s', (_name, given, needs, rights) => {
    const config = reloadShape.config.parse(given)
    if (part === undefined) throw new Error('the shape has no part')
    expect(needsOf(part, config).map(({ resource }) => resource)).toEqual(needs)
    expect(permissionsOf(part, config).flatMap(({ resources }) => resources)).toEqual(rights)
  })

  test('is the list itself where it says one', () => {
    const controller = mirrorShape.parts[1]
    if (controller === undefined) throw new Error('the shape has no controller part')
    const config = mirrorShape.config.parse({})
    expect(needsOf(controller, config)).toBe(controller.needs)
    expect(permissionsOf(controller, config)).toEqual([])
  })
})
