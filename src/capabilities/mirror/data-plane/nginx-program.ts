// nginx on this machine: whether it is there, which version, and what it may have.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { messageOf } from '#kube/log.ts'

export const nginxProgram = 'nginx'
/** Since 1.22 bodies of sub-requests and errors end as this configuration counts on; older ones are not tried. */
const leastVersion = [1, 22] as const
const versionMs = 5_000

/** Why there is none that may be used; undefined: there is one. */
export async function nginxTrouble(program = nginxProgram): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  execFile(program, ['-V'], { timeout: versionMs, maxBuffer: 64 * 1024 }, (error, stdout, stderr) => {
    if (error === null) resolve(buildTrouble(stdout + stderr))
    else resolve(error.code === 'ENOENT' ? `there is no program ${program}` : `${program} -V: ${messageOf(error)}`)
  })
  return await promise
}

/** What is wrong with a build as `nginx -V` tells of it. */
export function buildTrouble(told: string): string | undefined {
  const [, major, minor] = /nginx version: \S+\/(\d+)\.(\d+)/.exec(told) ?? []
  if (major === undefined || minor === undefined) return `it says no version: ${JSON.stringify(told.slice(0, 80))}`
  const isOld = Number(major) < leastVersion[0] || (Number(major) === leastVersion[0] && Number(minor) < leastVersion[1])
  if (isOld) return `nginx ${major}.${minor} is older than ${leastVersion.join('.')}`
  return told.includes('--with-http_ssl_module') ? undefined : 'it was built without TLS'
}

/** Whether the machine has IPv6. */
export const hasIpv6 = (): boolean => existsSync('/proc/net/if_inet6')
