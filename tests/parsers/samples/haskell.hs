module Shop where

import Data.List (sort)

-- INCOMMENT sums the prices
total :: [Int] -> Int
total prices = go 0 (sort prices)
  where
    go acc [] = acc + INBLOCK
    go acc (p : ps) = go (acc + p) ps

label :: String
label = "INSTRING"
