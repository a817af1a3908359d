import { paintedLine, type Paint } from "../cli/paint.ts";
import { newsLines } from "../view/news_lines.ts";
import type { News } from "../view/story.ts";
import { clockTime } from "../view/times.ts";

/** The lines for these news; the first line of each begins with the time of day, in UTC. */
export function storyLines(news: readonly News[], at: Date, paint: Paint): string[] {
  return news
    .map((each) => newsLines(each).map((line) => paintedLine(line, paint)))
    .flatMap(([first = "", ...rest]) => [
      `${paint.dim(clockTime(at))}  ${first}`,
      ...rest.map((line) => `          ${line}`),
    ]);
}
