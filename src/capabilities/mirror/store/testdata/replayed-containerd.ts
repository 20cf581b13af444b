// A containerd that answers what a real one was recorded to answer, moment after moment.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { status } from '@grpc/grpc-js'
import { ContainerdServer, Refusal } from './containerd-server.ts'
import type { RecordedCall, Recording } from './recording.ts'

/** Versions that were recorded. */
export const recordedVersions = ['1.6.20', '1.7.24', '2.1.9'] as const

export function recordingOf(version: (typeof recordedVersions)[number]): Recording {
  return JSON.parse(readFileSync(join(import.meta.dirname, `containerd-${version}.json`), 'utf8'))
}

export class ReplayedContainerd implements AsyncDisposable {
  readonly recording: Recording
  readonly server: ContainerdServer
  readonly #calls: Map<string, RecordedCall>
  #at = 0

  private constructor(recording: Recording, server: ContainerdServer, calls: Map<string, RecordedCall>) {
    this.recording = recording
    this.server = server
    this.#calls = calls
    this.#take()
  }

  static async start(recording: Recording): Promise<ReplayedContainerd> {
    const calls = new Map<string, RecordedCall>()
    const server = await ContainerdServer.start(path => request => {
      const call = calls.get(`${path} ${request.toString('base64')}`)
      if (call === undefined) throw new Refusal(status.UNIMPLEMENTED, `${path} was not recorded with ${request.toString('utf8')}`)
      if (call.code !== 0) throw new Refusal(call.code, call.details)
      return call.answers.map(answer => Buffer.from(answer, 'base64'))
    })
    return new ReplayedContainerd(recording, server, calls)
  }

  /** The next moment: its answers, then its events. Yields its name, `undefined` after the last. */
  next(): string | undefined {
    this.#at++
    const moment = this.#take()
    for (const event of moment?.events ?? []) this.server.emit(Buffer.from(event, 'base64'))
    return moment?.name
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]()
  }

  #take() {
    const moment = this.recording.moments[this.#at]
    for (const call of moment?.calls ?? []) this.#calls.set(`${call.path} ${call.request}`, call)
    return moment
  }
}
