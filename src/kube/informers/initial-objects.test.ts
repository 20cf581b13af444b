import { expect, test } from 'vitest'
import type { KubeObject } from '../objects/objects.ts'
import { InitialObjects } from './initial-objects.ts'

const named = (name: string, resourceVersion: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'shop', name, resourceVersion },
})

function held() {
  const released: KubeObject[] = []
  const store = {
    project: (object: KubeObject): KubeObject => ({ ...object, kind: 'Kept' }),
    release: (object: KubeObject) => void released.push(object),
  }
  return { objects: new InitialObjects<KubeObject>(store), released }
}

test('the newest of each name is handed over, once, as the store keeps it; what it replaced or what is gone is released', () => {
  const { objects, released } = held()
  for (const object of [named('a', '1'), named('b', '2'), named('c', '3'), named('a', '4')]) objects.hold(object)
  objects.letGo(named('b', '5'))
  objects.letGo(named('never told', '6'))
  expect(released.map(({ metadata }) => metadata.resourceVersion)).toEqual(['1', '2'])
  const taken = objects.take()
  expect(taken.map(({ kind, metadata }) => [kind, metadata.name, metadata.resourceVersion])).toEqual([
    ['Kept', 'c', '3'],
    ['Kept', 'a', '4'],
  ])
  expect(objects.take()).toEqual([])
  objects.release()
  expect(released).toHaveLength(2)
})

test('what a list that broke off has told is released', () => {
  const { objects, released } = held()
  objects.hold(named('a', '1'))
  objects.release()
  expect(released.map(({ kind, metadata }) => [kind, metadata.name])).toEqual([['Kept', 'a']])
  expect(objects.take()).toEqual([])
})
