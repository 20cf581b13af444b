// SCRAM (RFC 5802), as clients of Kafka and MongoDB speak it: neither side shows the other the password.
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { AnswerError } from '#kube/outside-error.ts'

export type ScramHash = 'sha1' | 'sha256' | 'sha512'

const sizes: Readonly<Record<ScramHash, number>> = { sha1: 20, sha256: 32, sha512: 64 }

/** Rounds that a server may ask for; usual are 4,096 to 16,384. */
const mostRounds = 600_000

const derive = promisify(pbkdf2)

/** `say` sends and returns what came; `who` is named in errors. @throws AnswerError where the server does not know the password either */
export async function scram(
  hash: ScramHash,
  { username, password, who }: { readonly username: string; readonly password: string; readonly who: string },
  say: (message: Buffer) => Promise<Buffer>,
  nonce: string = randomBytes(18).toString('base64'),
): Promise<void> {
  const bare = `n=${username.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`
  const first = (await say(Buffer.from(`n,,${bare}`))).toString()
  const [, whole = '', salt = '', rounds = ''] = /^r=([^,]+),s=([^,]+),i=(\d{1,9})(?:,|$)/.exec(first) ?? []
  if (!whole.startsWith(nonce) || whole === nonce) throw new AnswerError(`${who} does not keep to SCRAM`)
  if (Number(rounds) < 1 || Number(rounds) > mostRounds)
    throw new AnswerError(`${who} asks for ${Number(rounds)} rounds of SCRAM`)
  const salted = await derive(password.normalize('NFKC'), Buffer.from(salt, 'base64'), Number(rounds), sizes[hash], hash)
  const hmac = (key: Buffer, message: string) => createHmac(hash, key).update(message).digest()
  const clientKey = hmac(salted, 'Client Key')
  const last = `c=biws,r=${whole}`
  const all = `${bare},${first},${last}`
  const signature = hmac(createHash(hash).update(clientKey).digest(), all)
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)))
  const answer = (await say(Buffer.from(`${last},p=${proof.toString('base64')}`))).toString()
  const shown = Buffer.from(/^v=([^,]+)/.exec(answer)?.[1] ?? '', 'base64')
  const expected = hmac(hmac(salted, 'Server Key'), all)
  if (shown.length !== expected.length || !timingSafeEqual(shown, expected))
    throw new AnswerError(`${who} does not prove that it knows the password`)
}
