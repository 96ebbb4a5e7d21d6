<?php

namespace App;

use App\Text\Writer as Output;

// INCOMMENT greets people
class Greeter extends Base implements Polite
{
    public function greet(string $name): string
    {
        if ($name === '') {
            return $this->fallback(INBLOCK);
        }
        return "INSTRING " . $name;
    }
}
