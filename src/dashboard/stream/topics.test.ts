import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { everything } from '../views/viewing.ts'
import { TestSource } from './streams-for-tests.ts'
import { topicKindOf, topicValue } from './topics.ts'

describe('topics', () => {
  test.each([
    ['overview', 'overview'],
    ['permits', 'permits'],
    ['twin', 'twin'],
    ['plan:talos-7f3c', 'plan'],
    ['node:talos00', 'node'],
    ['workload:media/Deployment/sonarr', 'workload'],
    ['overview:x', undefined],
    ['plan', undefined],
    ['plan:', undefined],
    ['secrets', undefined],
    ['', undefined],
    ['constructor', undefined],
    [`plan:${'x'.repeat(700)}`, undefined],
  ])('%s is of %s', (topic, kind) => expect(topicKindOf(topic)).toBe(kind))

  test.each([
    ['plan:talos-7f3c', 'There is no plan talos-7f3c.'],
    ['node:talos00', 'There is no node talos00.'],
    ['twin', 'This is no twin: its clock cannot be set.'],
    ['workload:media/sonarr', 'A workload is named NAMESPACE/KIND/NAME, not media/sonarr.'],
    ['workload:media/Deployment/sonarr', expect.stringContaining('media/sonarr')],
  ])('%s of an empty cluster is gone', (topic, message) => {
    const picture = new TestSource(new VirtualClock(0)).current()
    expect(topicValue(picture, topic, everything)).toEqual({ gone: { code: 'not-there', message, remedy: null } })
  })
})
