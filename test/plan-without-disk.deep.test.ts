// Planning needs no file but those it reads: the process is forbidden to write any (Node's permission model).
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')

test('a plan is made by a process that may write no file', { timeout: 120_000 }, async () => {
  const main = join(root, 'src', 'cli', 'main.ts')
  const permission = [
    '--permission',
    '--allow-fs-read=*',
    '--allow-child-process',
    '--allow-worker',
    '--disable-warning=ExperimentalWarning',
    '--disable-warning=SecurityWarning',
  ]
  const args = [...permission, main, 'plan', '--cluster', join(root, 'examples', 'talos-homelab'), '-o', 'json']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, maxBuffer: 2 ** 26 })
  const plan: { readonly kind?: string; readonly spec?: { readonly moves?: readonly unknown[] } } = JSON.parse(stdout)
  expect([plan.kind, plan.spec?.moves?.length]).toEqual(['RebalancePlan', 15])
})
