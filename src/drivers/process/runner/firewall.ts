import { WeirError } from '../../../errors.ts'
import { runCommand } from '../../../spawn.ts'
import { type FirewallState, firewallRules } from './firewall-rules.ts'
import { findProgram, missing } from './machine.ts'

const WITHIN_MS = 10_000
const FAMILIES = [
  { family: 4, program: 'iptables' },
  { family: 6, program: 'ip6tables' },
] as const

/**
 * The owner-match rules of one installation, in chains of its own: two calls of `iptables-restore` replace them all in one step.
 * Changes that come while one is being made are made together afterwards.
 */
export class Firewall {
  readonly #chain: string
  readonly #programs: { readonly family: 4 | 6; readonly plain: string; readonly restore: string }[]
  #written: string | null = null
  #wanted: FirewallState | null = null
  #writing: Promise<void> | null = null

  constructor(chain: string, path: string) {
    this.#chain = chain
    this.#programs = FAMILIES.map(({ family, program }) => ({
      family,
      plain: findProgram(program, path) ?? missing(program, 'iptables'),
      restore: findProgram(`${program}-restore`, path) ?? missing(`${program}-restore`, 'iptables'),
    }))
  }

  /** Makes the chains and hangs them into the kernel's; those of a runner before us stay as they are, until `set`. */
  async open(): Promise<void> {
    await Promise.all(this.#programs.map(({ plain }) => this.#openFamily(plain)))
  }

  async #openFamily(plain: string): Promise<void> {
    const present = new Set((await this.#must([plain, '-w', '-S'])).split('\n'))
    for (const [hook, chain, where] of this.#hooks()) {
      const rule = [...where, '-j', chain]
      if (!present.has(`-N ${chain}`)) await this.#must([plain, '-w', '-N', chain])
      if (!present.has(`-A ${hook} ${rule.join(' ')}`)) await this.#must([plain, '-w', '-I', hook, '1', ...rule])
    }
  }

  /** Returns when the rules are these, or newer ones. */
  async set(state: FirewallState): Promise<void> {
    this.#wanted = state
    while (this.#writing) await this.#writing
    const text = FAMILIES.map(({ family }) => firewallRules(this.#wanted ?? state, family)).join('')
    if (text === this.#written) return
    this.#writing = this.#write(this.#wanted, text).finally(() => {
      this.#writing = null
    })
    await this.#writing
  }

  /** Leaves nothing of ours in the kernel. */
  async remove(): Promise<void> {
    for (const { plain } of this.#programs) {
      for (const [hook, chain, where] of this.#hooks()) {
        while ((await this.#run([plain, '-w', '-D', hook, ...where, '-j', chain])).code === 0) continue
        await this.#run([plain, '-w', '-F', chain])
        await this.#run([plain, '-w', '-X', chain])
      }
    }
    this.#written = null
  }

  #hooks(): [hook: string, chain: string, where: string[]][] {
    return [
      ['OUTPUT', this.#chain, ['-o', 'lo']], // also what goes to the machine's own outer addresses
      ['INPUT', `${this.#chain}-IN`, ['!', '-i', 'lo']],
    ]
  }

  async #write(state: FirewallState, text: string): Promise<void> {
    await Promise.all(this.#programs.map(({ family, restore }) => this.#must([restore, '-w', '--noflush'], firewallRules(state, family))))
    this.#written = text
  }

  async #must(argv: [string, ...string[]], stdin?: string): Promise<string> {
    const { code, stderr, stdout } = await this.#run(argv, stdin)
    if (code !== 0)
      throw new WeirError('E_STATE', {
        message: 'the firewall rules that keep tenants apart could not be set',
        cause: stderr.trim().split('\n')[0] ?? `${argv[0]} exited with ${code}`,
        next: 'weir doctor',
      })
    return stdout
  }

  #run(argv: [string, ...string[]], stdin?: string) {
    return runCommand({ argv, env: {}, timeoutMs: WITHIN_MS, ...(stdin === undefined ? {} : { stdin }) })
  }
}
