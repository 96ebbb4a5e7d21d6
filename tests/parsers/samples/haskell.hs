module Shop where

-- INCOMMENT sums the prices
total :: [Int] -> Int
total prices = go 0 prices
  where
    go acc [] = acc + INBLOCK
    go acc (p : ps) = go (acc + p) ps

label :: String
label = "INSTRING"
