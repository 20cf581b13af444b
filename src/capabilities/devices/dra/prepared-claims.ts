// What claims were prepared, on disk: a file a claim, so that two agents of which one takes over from the other lose nothing of each other's. A file is there
// before the kubelet has its answer, and it is whole or not there.

import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { type Log, messageOf } from '#kube/log.ts'
import { replaceFile } from '../cdi/replace-file.ts'

/** A claim has 32 devices at most, each with names that are bounded. */
const largestFile = 256 * 1_024
const uidPattern = /^[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?$/

const preparedClaim = z.object({
  uid: z.string().regex(uidPattern),
  namespace: z.string(),
  name: z.string(),
  pool: z.string(),
  devices: z.array(
    z.object({
      requests: z.array(z.string()),
      device: z.string(),
      cdi: z.array(z.string()),
      shareId: z.string().optional(),
      isAdmin: z.boolean(),
    }),
  ),
})

export type PreparedClaim = z.output<typeof preparedClaim>

/** Whether a text can be the UID of a claim: it becomes the name of a file. */
export const isClaimUid = (text: string): boolean => uidPattern.test(text)

interface PreparedClaimsOptions {
  readonly directory: string
  readonly log: Log
}

export class PreparedClaims {
  readonly #directory: string
  readonly #log: Log
  readonly #told = new Set<string>()

  constructor({ directory, log }: PreparedClaimsOptions) {
    this.#directory = directory
    this.#log = log
  }

  /** All of them, in the order of their UIDs. A file that cannot be read counts for nothing, and is told once. */
  all(): readonly PreparedClaim[] {
    return this.#names().flatMap(name => this.#read(name) ?? [])
  }

  /** How many there are, readable or not. */
  count(): number {
    return this.#names().length
  }

  get(uid: string): PreparedClaim | undefined {
    const name = `${uid}${ending}`
    return isClaimUid(uid) && this.#names().includes(name) ? this.#read(name) : undefined
  }

  /** It is on disk when this returns. @throws Error of the system */
  put(claim: PreparedClaim): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o750 })
    replaceFile(join(this.#directory, `${claim.uid}${ending}`), JSON.stringify(claim), 0o600)
    this.#syncDirectory()
  }

  /** One that is not there is none. @throws Error of the system */
  remove(uid: string): void {
    if (!isClaimUid(uid)) return
    rmSync(join(this.#directory, `${uid}${ending}`), { force: true })
    if (this.#names().length > 0) this.#syncDirectory()
  }

  #names(): readonly string[] {
    try {
      return readdirSync(this.#directory)
        .filter(name => name.endsWith(ending) && isClaimUid(name.slice(0, -ending.length)))
        .sort()
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
      throw error
    }
  }

  #read(name: string): PreparedClaim | undefined {
    const path = join(this.#directory, name)
    try {
      const { size } = statSync(path)
      if (size > largestFile) throw new Error(`it has ${size} bytes`)
      const claim = preparedClaim.parse(JSON.parse(readFileSync(path, 'utf8')))
      if (`${claim.uid}${ending}` !== name) throw new Error(`it is of claim ${claim.uid}`)
      return claim
    } catch (error) {
      if (!this.#told.has(name)) this.#log.warn({ path, why: messageOf(error) }, 'what was prepared for a claim cannot be read')
      this.#told.add(name)
      return undefined
    }
  }

  /** A new name is lost in a crash until its folder is written. */
  #syncDirectory(): void {
    const directory = openSync(this.#directory, 'r')
    try {
      fsyncSync(directory)
    } finally {
      closeSync(directory)
    }
  }
}

const ending = '.json'
