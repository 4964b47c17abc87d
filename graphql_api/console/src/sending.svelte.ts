interface Problem {
  message: string;
  messageEn: string;
}

/** What a form sends: whether it is on its way, and what came of it. */
export class Sending {
  busy = $state(false);
  problem = $state.raw<Problem>();
  trouble = $state.raw<unknown>();
  done = $state('');

  /** What was made, said to be `done`; undefined when it was refused, which the form then shows. */
  async send<Result extends object>(
    change: () => Promise<Result>,
    done = '',
  ): Promise<Exclude<Result, Problem> | undefined> {
    this.busy = true;
    this.problem = this.trouble = undefined;
    this.done = '';
    try {
      const result = await change();
      if ('messageEn' in result) {
        this.problem = result as unknown as Problem;
        return undefined;
      }
      this.done = done;
      return result as Exclude<Result, Problem>;
    } catch (met) {
      this.trouble = met;
      return undefined;
    } finally {
      this.busy = false;
    }
  }
}
