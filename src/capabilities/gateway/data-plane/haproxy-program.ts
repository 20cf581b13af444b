// HAProxy on this machine: whether it is there, which version, and how many connections it may have.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { messageOf } from '#kube/log.ts'

export const haproxyProgram = 'haproxy'
/** Since 3.0 an answer that has begun may take its time, while one that has not may not. */
const leastVersion = [3, 0] as const
const versionMs = 5_000
const mostConnections = 50_000
/** Descriptors that are no connection of a client or a pod. */
const otherDescriptors = 200
const standardDescriptors = 1_024

/** Why there is none that may be used; undefined: there is one. */
export async function haproxyTrouble(program = haproxyProgram): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  execFile(program, ['-v'], { timeout: versionMs, maxBuffer: 64 * 1024 }, (error, stdout) => {
    if (error !== null) resolve(error.code === 'ENOENT' ? `there is no program ${program}` : `${program} -v: ${messageOf(error)}`)
    else resolve(versionTrouble(stdout))
  })
  return await promise
}

/** What is wrong with a version as `haproxy -v` tells it. */
export function versionTrouble(told: string): string | undefined {
  const [, major, minor] = /^HAProxy version (\d+)\.(\d+)/m.exec(told) ?? []
  if (major === undefined || minor === undefined) return `it says no version: ${JSON.stringify(told.slice(0, 80))}`
  const isOld = Number(major) < leastVersion[0] || (Number(major) === leastVersion[0] && Number(minor) < leastVersion[1])
  return isOld ? `HAProxy ${major}.${minor} is older than ${leastVersion.join('.')}` : undefined
}

/** Memory that is the gateway's own. */
const ownBytes = 224 * 1024 * 1024
const leastBytes = 64 * 1024 * 1024
/** What a client costs at most that reads nothing of a large answer, or sends nothing of a head that it began: buffers on both sides. */
const connectionBytes = 80 * 1024

/**
 * Connections of clients that nobody can make too many: each may have one to a pod as well, and all their buffers have to fit.
 * @param descriptors that a process may have
 * @param bytes of memory for the gateway and HAProxy together
 */
export function connectionsWithin(descriptors: number, bytes: number): number {
  const byMemory = Math.floor(Math.max(leastBytes, bytes - ownBytes) / connectionBytes)
  return Math.max(1, Math.min(mostConnections, byMemory, Math.floor((descriptors - otherDescriptors) / 2)))
}

/** Bytes that this process and those that it starts may have. */
export function memoryLimit(): number {
  return Math.min(process.constrainedMemory() || Number.MAX_SAFE_INTEGER, totalmem())
}

/** How many descriptors a process may have that this one starts. */
export function descriptorLimit(): number {
  try {
    const [, hard = ''] = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return hard === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(hard) || standardDescriptors
  } catch {
    return standardDescriptors // another system than Linux: the least that is usual
  }
}
