// Every pattern of the room with each text that it is for, and where that was seen: no text is its author's.
import { describe, expect, test } from 'vitest'
import { recordedEvents, upstreamText, upstreamTexts } from '#test/upstream-texts.ts'
import { deletedPodIn, isCalledOff, isCombined, kubeletWords, sizedSetIn } from './event-texts.ts'

const combined = upstreamText('combined')

// biome-ignore format: a table
const texts: readonly (readonly [string, readonly string[], (note: string) => unknown, unknown])[] = [
  ["a StatefulSet's controller deletes",      upstreamTexts('stateful-set-pod', 'db-1', 'db'),            deletedPodIn, 'db-1'],
  ['… it failed to',                          upstreamTexts('stateful-set-pod-failed', '', 'db-1', 'db'), deletedPodIn, undefined],
  ['all other controllers delete',            upstreamTexts('deleted-pod', 'cart-7c9f-abcde'),            deletedPodIn, 'cart-7c9f-abcde'],
  ['… they failed to',                        upstreamTexts('delete-failed', 'no'),                       deletedPodIn, undefined],
  ['… one Event for several',                 upstreamTexts('deleted-pod', 'cart-a').map(text => combined + text), deletedPodIn, 'cart-a'],
  ['a Deployment sizes a ReplicaSet',         upstreamTexts('scaled-set', 'down', 'cart-7c9f', '3', '1'), sizedSetIn, { set: 'cart-7c9f', from: 3, to: 1 }],
  ['… makes one',                             upstreamTexts('scaled-new-set', 'cart-7c9f', '2'),          sizedSetIn, { set: 'cart-7c9f', from: 0, to: 2 }],
  ['… one Event for several',                 upstreamTexts('scaled-set', 'up', 'c', '1', '2').map(text => combined + text), sizedSetIn, { set: 'c', from: 1, to: 2 }],
  ['the taint manager takes a pod',           upstreamTexts('taint-marked', 'shop/cart'),                 isCalledOff, false],
  ['… leaves it after all',                   upstreamTexts('taint-cancelled', 'shop/cart'),              isCalledOff, true],
  ['what stands for several',                 [combined],                                                 isCombined, true],
  ['the node ran short of memory',            upstreamTexts('low-on-resource', 'memory'),                 kubeletWords, 'kubelet (memory pressure)'],
  ['… of storage',                            upstreamTexts('low-on-resource', 'ephemeral-storage'),      kubeletWords, 'kubelet (disk pressure)'],
  ['… of PIDs',                               upstreamTexts('low-on-resource', 'pids'),                   kubeletWords, 'kubelet (PID pressure)'],
  ['… of inodes',                             upstreamTexts('low-on-resource', 'inodes'),                 kubeletWords, 'kubelet (disk pressure)'],
  ['a pod wrote too much',                    upstreamTexts('pod-ephemeral-storage', '1Gi'),              kubeletWords, 'kubelet (disk pressure)'],
  ['a container did',                         upstreamTexts('container-ephemeral-storage', 'main', '1Gi'), kubeletWords, 'kubelet (disk pressure)'],
  ['the node shuts down',                     upstreamTexts('node-shutdown'),                             kubeletWords, 'kubelet (node shutdown)'],
  ['a critical pod needs the place',          upstreamTexts('kubelet-preempting'),                        kubeletWords, 'kubelet (preemption by a critical pod)'],
]

test.each(texts)('%s', (_name, all, read, expected) => {
  for (const text of all) expect([text, read(text)]).toEqual([text, expected])
})

test('StatefulSets of both versions are among them', () => {
  expect(upstreamTexts('stateful-set-pod', 'db-1', 'db').map(text => text.slice(0, 10))).toEqual(['delete Pod', 'Delete Pod'])
})

/** Recordings name what differs each time `<hash 1>`; names have no spaces. */
const unnamed = (text: string) => text.replaceAll(/<(\w+)(?: (\d))?>/g, '$1$2')

describe('what real controllers wrote', () => {
  test.each(['stateful-sets.json', 'replica-sets.json', 'deployments.json', 'daemon-sets.json'])('pods deleted: %s', file => {
    const all = recordedEvents(file, 'SuccessfulDelete')
    expect(all.length).toBeGreaterThan(0)
    for (const { message: recorded, regarding } of all) {
      const message = unnamed(recorded)
      const [, name = ''] = unnamed(regarding).split('/')
      expect([message, deletedPodIn(message)?.startsWith(`${name}-`)]).toEqual([message, true])
    }
  })

  test('ReplicaSets sized', () => {
    const all = recordedEvents('deployments.json', 'ScalingReplicaSet').map(({ message }) =>
      message.replaceAll(/<hash (\d)>/g, 'hash$1'),
    )
    expect(all.filter(isCombined).length).toBeGreaterThan(0)
    for (const message of all) expect([message, sizedSetIn(message)?.set.startsWith('web-')]).toEqual([message, true])
  })
})
