// Our own Go programs for the gateway's checks and measurements (`peers/`): built anew whenever their source changes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { builtOnce } from '../cache.ts'
import { builtProgram } from '../clients/build.ts'
import { atEnd } from '../endings.ts'
import { runCommand } from '../run-command.ts'

/** Those of gRPC's interoperability cases that need nothing but a path to the server. */
export const grpcCases = [
  ...['empty_unary', 'large_unary', 'client_streaming', 'server_streaming', 'ping_pong', 'empty_stream'],
  ...['timeout_on_sleeping_server', 'cancel_after_begin', 'cancel_after_first_response'],
  ...['status_code_and_message', 'special_status_message', 'custom_metadata', 'unimplemented_method'],
]
const caseLimitMs = 40_000

/** Path of the program. @throws PartUnavailable without Go or a way to its modules */
export function gatewayPeers(): Promise<string> {
  return builtOnce("the gateway's peers", () => builtProgram(join(import.meta.dirname, 'peers'), 'gateway-peers'))
}

/** One of the program's servers, until the end of the stack. @returns its port */
export async function startPeer(stack: AsyncDisposableStack, ...args: readonly string[]): Promise<number> {
  const child = spawn(await gatewayPeers(), args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const isOver = atEnd(() => child.kill('SIGKILL'))
  stack.defer(async () => {
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    isOver()
  })
  for await (const line of createInterface({ input: child.stdout })) return Number(line)
  throw new Error(`${args.join(' ')} ended early`)
}

/** Plays one of gRPC's cases against whoever listens at the port; yields what was wrong, or nothing. */
export async function grpcCase(port: number, authority: string, one: string): Promise<string> {
  const args = ['grpc-client', `-address=127.0.0.1:${port}`, `-authority=${authority}`, `-case=${one}`]
  const { code, stderr } = await runCommand(await gatewayPeers(), args, { timeoutMs: caseLimitMs })
  return code === 0 ? '' : stderr.trim().slice(-400) || `ended with ${code}`
}
