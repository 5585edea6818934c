<?php
declare(strict_types=1);

/**
 * Writes the page. Everything that somebody typed goes through htmlspecialchars.
 *
 * @param list<array{name: string, message: string, written: string}> $entries
 */
function page(string $title, string $servedBy, array $entries, string $complaint, string $name, string $message): string
{
    $text = static fn (string $value): string => htmlspecialchars($value, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
    $list = '';
    foreach ($entries as $entry) {
        $list .= "<li><p>{$text($entry['message'])}</p><footer><b>{$text($entry['name'])}</b> <time>{$entry['written']} UTC</time></footer></li>\n";
    }
    if ($list === '') {
        $list = '<li class="empty">Nobody has written yet. Be the first!</li>';
    }
    $warning = $complaint === '' ? '' : "<p class=\"complaint\" role=\"alert\">{$text($complaint)}</p>";

    return <<<HTML
        <!doctype html>
        <html lang="en">
        <head>
          <meta charset="utf-8">
          <meta name="viewport" content="width=device-width, initial-scale=1">
          <title>{$text($title)}</title>
          <link rel="stylesheet" href="/style.css">
        </head>
        <body>
          <main>
            <h1>{$text($title)}</h1>
            {$warning}
            <form method="post" action="/">
              <label>Your name <input name="name" maxlength="60" required value="{$text($name)}"></label>
              <label>Your words <textarea name="message" maxlength="1000" rows="3" required>{$text($message)}</textarea></label>
              <button>Write it down</button>
            </form>
            <ol class="entries" reversed>
              {$list}
            </ol>
          </main>
          <footer class="served">served by {$text($servedBy)}</footer>
        </body>
        </html>
        HTML;
}
