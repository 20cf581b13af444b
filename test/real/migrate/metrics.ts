// `ballast migrate` from metrics-server 0.9 to Ballast and back on a real control plane, as a user would run it, while `kubectl top nodes` asks
// each second.
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { isDeepStrictEqual } from 'node:util'
import { commandLine } from '../ballast/site.ts'
import { runCommand } from '../run-command.ts'
import { MetricsRealSite, resolutionSeconds } from './metrics-site.ts'
import { told } from './told.ts'

const path = '/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io'

export async function judgeMetricsServer(): Promise<string> {
  await using site = await MetricsRealSite.open()
  const { processes } = site
  const run = async (...words: readonly string[]) => {
    const args = [commandLine, 'migrate', ...words, '--kubeconfig', site.plane.kubeconfig]
    const done = await runCommand(process.execPath, args, { env: { NO_COLOR: '1' }, timeoutMs: 600_000 })
    strictEqual(done.code, 0, `${words.join(' ')}: ${done.stdout}${done.stderr}\n${processes.log}`)
    return done
  }
  const gap = (what: string) => {
    const { asked, seconds, said } = site.answers.taken()
    ok(seconds <= 2 * resolutionSeconds, `${what}: ${seconds} s without an answer: ${said.join('; ')}\n${processes.log}`)
    return `${what} ${seconds} s in ${asked} askings`
  }
  const spec = async () => Reflect.get(Object(await site.plane.client.want('GET', path)), 'spec')
  const before = await spec()

  const forth = await run('apply', 'metrics-server', '--all', '--yes')
  deepStrictEqual(
    told(forth),
    // A pod of ours is ready when it has rates, so that there may be nothing left to wait for.
    ['check', 'convert', 'install', 'compare', 'switch', 'sleep', 'remove', 'doctor'].map(id =>
      id === 'compare' && forth.stderr.includes('compare: was so') ? 'compare: was so' : `${id}: done`,
    ),
    forth.stderr,
  )
  ok(processes.runs('ours') && !processes.runs('upstream'), 'only ours runs')
  await processes.until('callers are answered by ours alone', () => site.answers.last?.isAnswered === true)
  const gapForth = gap('there')

  const back = await run('apply', 'metrics-server', '--all', '--back', '--yes')
  deepStrictEqual(
    told(back),
    ['check', 'restore', 'wake', 'switch', 'off'].map(id => `${id}: done`),
    back.stderr,
  )
  ok(isDeepStrictEqual(await spec(), before), 'the APIService is as it was')
  await processes.until('only upstream runs', () => processes.runs('upstream') && !processes.runs('ours'))
  return `longest gap of kubectl top nodes, asked each second: ${gapForth}; ${gap('back')}`
}
