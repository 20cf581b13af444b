import { describe, expect, test } from 'vitest'
import { parseFieldSelector, selectableFieldOf } from './field-selector.ts'

describe('texts (kube-machinery case 16)', () => {
  test.each([
    ['a!=b,c==d', 'a!=b,c=d'],
    ['a=b\\,c', 'a=b\\,c'],
    ['b=1,a=2', 'a=2,b=1'],
    ['', ''],
    ['a=', 'a='],
    ['a=\\\\', 'a=\\\\'],
    [',a=b,', 'a=b'],
    ['=,a=b', 'a=b'],
  ])('%j prints as %j', (text, printed) => {
    const parsed = parseFieldSelector(text)
    expect(parsed.ok && String(parsed.value)).toBe(printed)
  })

  test('an escaped comma belongs to the value', () => {
    const parsed = parseFieldSelector('a=b\\,c')
    expect(parsed.ok && parsed.value.terms).toEqual([{ field: 'a', operator: '=', value: 'b,c' }])
  })

  test.each([
    ['a', "invalid selector: 'a'; can't understand 'a'"],
    ['a=b,c', "invalid selector: 'a=b,c'; can't understand 'c'"],
    ['x=\\q', 'invalid field selector: invalid escape sequence: \\q'],
    ['x=\\', 'invalid field selector: invalid escape sequence: \\'],
    ['x=a=b', 'invalid field selector: unescaped character in value: 61'],
  ])('%j is refused', (text, message) => {
    expect(parseFieldSelector(text, 'q')).toMatchObject({
      ok: false,
      problem: { code: 'field-selector-syntax', where: 'q', message },
    })
  })
})

describe('matching', () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a', namespace: 'shop' },
    spec: { nodeName: 'n1' },
    status: { phase: 'Running' },
  }

  test.each([
    ['spec.nodeName=n1', true],
    ['spec.nodeName!=n1', false],
    ['spec.nodeName=', false],
    ['status.podIP=', true],
    ['metadata.namespace=shop,status.phase!=Failed', true],
    ['spec.hostNetwork=false', true],
  ])('%s: %s', (text, matches) => {
    const parsed = parseFieldSelector(text)
    expect(parsed.ok && parsed.value.matches(field => selectableFieldOf(pod, field))).toBe(matches)
  })

  test.each([
    [{ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'a' }, status: { succeeded: 2 } }, 'status.successful', '2'],
    [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name: 'a' } }, 'status.replicas', '0'],
    [{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'a' }, spec: { unschedulable: true } }, 'spec.unschedulable', 'true'],
    [
      { apiVersion: 'events.k8s.io/v1', kind: 'Event', metadata: { name: 'a' }, regarding: { kind: 'Pod' } },
      'involvedObject.kind',
      'Pod',
    ],
    [{ apiVersion: 'v1', kind: 'Event', metadata: { name: 'a' }, source: { component: 'kubelet' } }, 'source', 'kubelet'],
  ])('%j %s is %j', (object, field, text) => {
    expect(selectableFieldOf(object, field)).toBe(text)
  })
})
