// Real databases that scalers ask, filled with what `test/scaler-database-cases.ts` says.
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { databasePassword, trustedUser } from '../../scaler-database-cases.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { needPrograms, placeOf } from '../machine-programs.ts'
import { commandOutput, runCommand } from '../run-command.ts'
import { longestMs, type RealServer, scratch, started } from './servers.ts'

const nobody = 65_534
/** PostgreSQL does not run as root. */
const unprivileged = process.getuid?.() === 0 ? ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'] : []

async function run(words: readonly string[], input?: string): Promise<string> {
  const [program = '', ...more] = words
  const result = await runCommand(program, more, input === undefined ? {} : { input })
  if (result.code !== 0) throw new Error(`${program}: ${result.stderr.slice(-1_000)}`)
  return result.stdout
}

/** A server of PostgreSQL with a table of five jobs, with TLS on. @throws PartUnavailable */
export async function startPostgres(): Promise<RealServer> {
  await needPrograms('postgres')
  await using stack = new AsyncDisposableStack()
  const port = await freePort()
  const directory = scratch(stack)
  const [data, password] = [join(directory, 'data'), join(directory, 'password')]
  mkdirSync(data)
  writeFileSync(password, databasePassword)
  await commandOutput('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
    ...['-keyout', join(directory, 'key.pem'), '-out', join(directory, 'cert.pem')],
  ])
  for (const path of [directory, data, password, join(directory, 'key.pem'), join(directory, 'cert.pem')])
    if (unprivileged.length > 0) chownSync(path, nobody, nobody)
  await run([
    ...[...unprivileged, placeOf('initdb') ?? 'initdb', '-D', data, '-U', 'worker', '--auth=scram-sha-256', '--pwfile', password],
    ...['--no-sync', '--no-locale', '-E', 'UTF8'],
  ])
  const rules = join(data, 'pg_hba.conf')
  writeFileSync(rules, `host all ${trustedUser} 127.0.0.1/32 trust\n${readFileSync(rules, 'utf8')}`)
  const [program = '', ...words] = [
    ...[...unprivileged, placeOf('postgres') ?? 'postgres', '-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1'],
    ...['-c', 'fsync=off', '-c', 'ssl=on', '-c', `ssl_key_file=${join(directory, 'key.pem')}`],
    ...['-c', `ssl_cert_file=${join(directory, 'cert.pem')}`, '-c', `unix_socket_directories=${directory}`],
  ]
  await started(stack, program, words, port)
  const ask = async (sql: string) =>
    await runCommand('psql', ['-X', '-q', '-h', '127.0.0.1', '-p', String(port), '-U', 'worker', '-d', 'postgres', '-c', sql], {
      env: { PGPASSWORD: databasePassword },
    })
  await until(async () => (await ask('SELECT 1')).code === 0, 'PostgreSQL')
  const table = 'CREATE TABLE job AS SELECT n AS id, n * 0.5 AS weight FROM generate_series(1, 5) AS n'
  const made = await ask(`${table}; CREATE USER ${trustedUser}; GRANT SELECT ON job TO ${trustedUser}`)
  if (made.code !== 0) throw new Error(made.stderr)
  const version = (await run([placeOf('postgres') ?? 'postgres', '--version'])).trim()
  const moved = stack.move()
  return { port, address: `127.0.0.1:${port}`, version, [Symbol.asyncDispose]: () => moved.disposeAsync() }
}

/** A server of MariaDB with a table of five jobs. @throws PartUnavailable */
export async function startMariadb(): Promise<RealServer> {
  await needPrograms('mariadbd')
  await using stack = new AsyncDisposableStack()
  const port = await freePort()
  const directory = scratch(stack)
  const [data, file] = [join(directory, 'data'), join(directory, 'start.sql')]
  mkdirSync(data)
  const messages = join(placeOf('mariadbd') ?? '', '..', '..', 'root', 'usr', 'share', 'mysql')
  const quoted = databasePassword.replaceAll(/[\\']/g, found => `\\${found}`)
  // Without the tables of its own a server knows no users.
  const tables = ['mysql_system_tables.sql', 'mysql_system_tables_data.sql'].map(name => join(messages, name))
  const filling = [
    `CREATE USER 'worker'@'%' IDENTIFIED BY '${quoted}';`,
    'CREATE DATABASE jobs;',
    'CREATE TABLE jobs.job (id INT, weight DECIMAL(10,1));',
    'INSERT INTO jobs.job VALUES (1, 0.5), (2, 1.0), (3, 1.5), (4, 2.0), (5, 2.5);',
    "GRANT SELECT ON jobs.* TO 'worker'@'%';",
  ]
  const common = ['--no-defaults', `--datadir=${data}`, `--lc-messages-dir=${messages}`, `--socket=${join(directory, 'socket')}`]
  const user = process.getuid?.() === 0 ? ['--user=root'] : []
  const first = ['CREATE DATABASE mysql;', 'USE mysql;', ...tables.map(path => `SOURCE ${path};`)]
  writeFileSync(file, `${filling.join('\n')}\n`)
  await run(
    ['mariadbd', ...common, ...user, '--bootstrap', '--skip-grant-tables', '--loose-skip-innodb-use-native-aio'],
    sourced(first),
  )
  const words = [...common, ...user, `--port=${port}`, '--bind-address=127.0.0.1', `--init-file=${file}`, '--skip-log-bin']
  await started(stack, 'mariadbd', words, port)
  const version = (await run(['mariadbd', '--version'])).trim().replace(/^\S+\s+/, '')
  const moved = stack.move()
  return { port, address: `127.0.0.1:${port}`, version, [Symbol.asyncDispose]: () => moved.disposeAsync() }
}

/** What `SOURCE` would read: a server that starts for the first time knows no such command. */
function sourced(lines: readonly string[]): string {
  return lines
    .map(line => /^SOURCE (.*);$/.exec(line)?.[1])
    .map((path, index) => (path === undefined ? (lines[index] ?? '') : readFileSync(path, 'utf8')))
    .join('\n')
}

async function until(isSo: () => Promise<boolean>, who: string): Promise<void> {
  const startMs = systemClock.elapsed()
  while (!(await isSo())) {
    if (systemClock.elapsed() - startMs > longestMs) throw new Error(`${who} does not come up`)
    await systemClock.after(100)
  }
}
