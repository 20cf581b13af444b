import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { readPolicy } from './policy/read-policy.ts'
import { type PolicyChange, readPolicyFile, watchPolicyFile } from './watch-policy.ts'

const soon = { timeout: 50_000, interval: 2 }

function policy(total: number): string {
  return JSON.stringify({
    apiVersion: 'descheduler/v1alpha2',
    kind: 'DeschedulerPolicy',
    maxNoOfPodsToEvictTotal: total,
    profiles: [],
  })
}

/** A ConfigMap as a kubelet mounts it: the file is a link through a link that is swapped. */
function mounted(text: string) {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-policy-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  let version = 0
  const swap = (next: string) => {
    const data = `..${version++}`
    mkdirSync(join(directory, data))
    writeFileSync(join(directory, data, 'policy.yaml'), next)
    symlinkSync(data, join(directory, '..data_tmp'))
    renameSync(join(directory, '..data_tmp'), join(directory, '..data'))
  }
  swap(text)
  const path = join(directory, 'policy.yaml')
  symlinkSync(join('..data', 'policy.yaml'), path)
  return { path, swap, directory }
}

function watching(
  path: string,
  text: string,
  options: { notices: boolean; check?: (text: string) => ReturnType<typeof readPolicy> },
) {
  const clock = options.notices ? systemClock : new VirtualClock(systemClock.now())
  const changes: PolicyChange[] = []
  const check = options.check ?? ((next: string) => readPolicy(next, { file: path, priorityOf: () => undefined }))
  const { notices } = options
  const watch = watchPolicyFile({ path, text, check, onChange: change => changes.push(change), clock, log: silentLog, notices })
  onTestFinished(() => watch[Symbol.dispose]())
  /** Waits until so many changes were told. */
  const told = async (count: number) => {
    await vi.waitUntil(async () => {
      if (clock instanceof VirtualClock) await clock.advance(1_000)
      return changes.length >= count
    }, soon)
    return changes.map(change => (change.ok ? change.policy.limits.total : 'refused'))
  }
  /** So many looks, for what is not to be told. */
  const looked = async (count: number) => {
    if (clock instanceof VirtualClock) for (let look = 0; look < count; look++) await clock.advance(10_000)
  }
  return { told, looked, changes, watch }
}

test.each([
  ['by notices of the system', true],
  ['by looking', false],
])('a swap of the link is seen %s', async (_, notices) => {
  const { path, swap } = mounted(policy(1))
  const { told } = watching(path, policy(1), { notices })
  swap(policy(2))
  expect(await told(1)).toEqual([2])
  swap(policy(3))
  expect(await told(2)).toEqual([2, 3])
})

test('what is wrong is told once with every problem, and the way back too', async () => {
  const { path, swap } = mounted(policy(1))
  const { told, looked, changes } = watching(path, policy(1), { notices: false })
  swap('apiVersion: descheduler/v1alpha1\nkind: DeschedulerPolicy')
  expect(await told(1)).toEqual(['refused'])
  await looked(3)
  expect(changes).toHaveLength(1)
  const [change] = changes
  expect(change?.ok === false && change.problems.map(({ code }) => code)).toEqual(['policy-kind'])
  swap(policy(1))
  expect(await told(2)).toEqual(['refused', 1])
})

test('a file that is away is told once, and is there again as it was', async () => {
  const { path, directory } = mounted(policy(1))
  const { told, looked, changes } = watching(path, policy(1), { notices: false })
  renameSync(join(directory, '..data'), join(directory, '..away'))
  expect(await told(1)).toEqual(['refused'])
  await looked(3)
  expect(changes).toHaveLength(1)
  renameSync(join(directory, '..away'), join(directory, '..data'))
  expect(await told(2)).toEqual(['refused', 1])
})

test('a check that fails is tried again', async () => {
  const { path, swap } = mounted(policy(1))
  let isServerAway = true
  const check = (text: string) => {
    if (isServerAway) throw new Error('no answer from the API server')
    return readPolicy(text, { file: path, priorityOf: () => undefined })
  }
  const { told, looked, changes } = watching(path, policy(1), { notices: false, check })
  swap(policy(2))
  expect(await told(1)).toEqual(['refused'])
  await looked(3)
  expect(changes).toHaveLength(1)
  isServerAway = false
  expect(await told(2)).toEqual(['refused', 2])
})

test('after the end nothing is told', async () => {
  const { path, swap } = mounted(policy(1))
  const { watch, looked, changes } = watching(path, policy(1), { notices: false })
  watch[Symbol.dispose]()
  swap(policy(2))
  await looked(3)
  expect(changes).toEqual([])
})

test('what no ConfigMap holds is not read', async () => {
  const { path, swap } = mounted('a'.repeat(1_048_576))
  expect(await readPolicyFile(path)).toHaveLength(1_048_576)
  swap('a'.repeat(1_048_577))
  await expect(readPolicyFile(path)).rejects.toThrow('larger than 1048576 bytes')
})
