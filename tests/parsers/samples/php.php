<?php

namespace App;

// INCOMMENT greets people
class Greeter
{
    public function greet(string $name): string
    {
        if ($name === '') {
            return INBLOCK;
        }
        return "INSTRING " . $name;
    }
}
